"""Rows of a table, found, sorted and paged as far as its indexes carry; every statement is bounded."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from nexus.db import database
from nexus.errors import NotFound
from nexus.listing.tables import Column, Table
from nexus.paging import Page, Part, pages

#: Rows of a page; of a table whose key is hidden, since it cannot be paged.
ROWS, ROWS_WITHOUT_KEY = 50, 200
#: Rows of a file that are in memory at a time.
BATCH = 1000
#: Rows are counted up to this number.
COUNTED = 100
#: The largest number that a type holds, where it is not one of 64 bits.
LARGEST = {"smallint": 2**15 - 1, "integer": 2**31 - 1}
MAX_ID = 2**63 - 1

#: What the planner knows of how many rows there are; it is not counted.
ESTIMATES = """
SELECT relname, greatest(reltuples, 0)::bigint FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
"""

KINDS: dict[str, type[Part]] = {
    "bigint": int,
    "integer": int,
    "uuid": UUID,
    "timestamp with time zone": datetime,
}


class Row(NamedTuple):
    """One row: what is shown of it by column, and where it stands in its list."""

    values: dict[str, Any]
    place: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A list of a table's rows: which, and in what order; NotFound for one that no index carries."""

    table: Table
    #: What each column equals, as a text that `value_of` could read.
    filters: Mapping[str, Any]
    sort: str
    descending: bool

    def page(self, cursor: str | None, *, limit: int = ROWS) -> Page[Row]:
        """One page, equally fast at any depth, in one statement."""
        if not self.table.pageable:
            return Page(self.rows(None, ROWS_WITHOUT_KEY), None)
        terms = self.table.sorts(frozenset(self.filters))[self.sort].terms
        return pages(
            self.rows,
            place=lambda row: row.place,
            kinds=[KINDS.get(term.column.type, str) for term in terms],
            limit=limit,
            cursor=cursor,
            bound_to=(self.table.name, sorted(self.filters.items()), self.sort, self.descending),
        )

    def batches(self) -> Iterator[list[Row]]:
        """All rows, one batch after another; who reads slowly keeps no connection meanwhile."""
        cursor = None
        while True:
            with database.connection_context():
                found = self.page(cursor, limit=BATCH)
            yield found.rows
            cursor = found.next_cursor
            if cursor is None:
                return

    def rows(self, place: Sequence[Any] | None, count: int) -> list[Row]:
        """The first rows after a place (None: of all), at most so many."""
        table, names = self.table, frozenset(self.filters)
        terms, condition = table.sorts(names)[self.sort]
        conditions, values = [condition] if condition else [], []
        for term in table.compared(names) if names else ():
            conditions.append(f"{term.sql} = {term.of(f'%s::{term.column.type}')}")
            values.append(self.filters[term.column.name])
        if place is not None:
            # A row comparison, from which a scan of an index with the same order can start. The expressions
            # change nothing in values that they made before, but for times without a zone, which have got
            # one meanwhile: compared as they are, those would depend on the session's time zone.
            after = ", ".join(term.of(f"%s::{term.column.type}") for term in terms)
            sign = "<" if self.descending else ">"
            conditions.append(f"({', '.join(term.sql for term in terms)}) {sign} ({after})")
            values += [str(part) if isinstance(part, UUID) else part for part in place]
        shown = [column.quoted for column in table.columns]
        direction = "DESC" if self.descending else "ASC"
        statement = (
            f"SELECT {', '.join([*shown, *(term.sql for term in terms)])} FROM {table.quoted}"
            + (f" WHERE {' AND '.join(conditions)}" if conditions else "")
            + f" ORDER BY {', '.join(f'{term.sql} {direction}' for term in terms)} LIMIT %s"
        )
        found = database.execute_sql(statement, (*values, count)).fetchall()
        return [Row(_named(table, row), tuple(map(_aware, row[len(shown) :]))) for row in found]


def listing(table: Table, filters: Mapping[str, str], *, sort: str | None, descending: bool) -> Listing:
    """The list that somebody asks for by texts; NotFound where no index carries it."""
    read = {name: value_of(table.column(name), text) for name, text in filters.items()}
    sorts = table.sorts(frozenset(read))
    if read:
        table.compared(frozenset(read))
    if sort is not None and table.column(sort).name not in sorts:
        raise NotFound
    return Listing(table=table, filters=read, sort=sort or next(iter(sorts)), descending=descending)


def row(table: Table, key: str) -> dict[str, Any]:
    """What is shown of the row with a key; NotFound where there is none, or the key is hidden."""
    value = value_of(table.column(table.key.name), key)
    shown = ", ".join(column.quoted for column in table.columns)
    statement = f"SELECT {shown} FROM {table.quoted} WHERE {table.key.quoted} = %s::{table.key.type}"
    found = database.execute_sql(statement, (value,)).fetchone()
    if found is None:
        raise NotFound
    return _named(table, found)


def referring(tables: Mapping[str, Table], table: Table, key: Any) -> dict[tuple[str, str], int]:
    """How many rows refer to a row, by table and column, in one statement that counts COUNTED + 1 at most.

    Only where an index finds them.
    """
    found = [
        (other, column)
        for other, column in table.referring
        if other in tables and frozenset([column]) in tables[other].filters
    ]
    if not found:
        return {}
    counts = (
        f"(SELECT count(*) FROM (SELECT FROM {tables[other].quoted}"
        f" WHERE {tables[other].column(column).quoted} = %s::{table.key.type} LIMIT {COUNTED + 1}) few)"
        for other, column in found
    )
    row = database.execute_sql(f"SELECT {', '.join(counts)}", [str(key)] * len(found)).fetchone()
    return dict(zip(found, row, strict=True))


def estimates() -> dict[str, int]:
    """About how many rows each table has."""
    return dict(database.execute_sql(ESTIMATES, ()).fetchall())


def few(tables: Iterable[Table]) -> dict[str, int]:
    """How many rows small tables have, in one statement that counts COUNTED + 1 of each at most."""
    names = [(table.name, table.quoted) for table in tables]
    if not names:
        return {}
    counts = (f"(SELECT count(*) FROM (SELECT FROM {quoted} LIMIT {COUNTED + 1}) few)" for _, quoted in names)
    row = database.execute_sql(f"SELECT {', '.join(counts)}", ()).fetchone()
    return dict(zip([name for name, _ in names], row, strict=True))


def value_of(column: Column, text: str) -> Any:
    """A text as a column can hold it; NotFound where it cannot."""
    try:
        if "\0" in text:
            raise ValueError
        if column.type == "uuid":
            return str(UUID(text))
        if column.is_number:
            number = int(text)
            if abs(number) > LARGEST.get(column.type, MAX_ID):
                raise ValueError
            return number
        if column.is_time:
            return instant(text).isoformat()
    except (ValueError, OverflowError):
        raise NotFound from None
    return text


def instant(text: str) -> datetime:
    """A time as ISO 8601 writes it, in UTC where it names no zone; ValueError or OverflowError for none."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _named(table: Table, found: tuple[Any, ...]) -> dict[str, Any]:
    """A row by the names of the columns that are shown."""
    return dict(zip((column.name for column in table.columns), map(_aware, found), strict=False))


def _aware(value: Any) -> Any:
    """A value, with its zone where it is a time without one: those are in UTC."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
