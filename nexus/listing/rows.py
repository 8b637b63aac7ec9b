"""Rows of a table, filtered, sorted and paged as far as its indexes allow; every statement is bounded."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from nexus.db import database
from nexus.errors import NotFound
from nexus.listing.tables import Column, Table
from nexus.paging import Page, Part, pages

#: How many rows a page has, and how many are shown of a table that cannot be paged, since its key is hidden.
ROWS, ROWS_WITHOUT_KEY = 50, 200
#: How many rows of a file are in memory at a time.
BATCH = 1000
#: Rows are counted up to this number.
COUNTED = 100
#: The largest number of a type, if that is smaller than 64 bits.
LARGEST = {"smallint": 2**15 - 1, "integer": 2**31 - 1}
MAX_ID = 2**63 - 1

#: The planner's estimates of how many rows there are, without counting.
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
    """One row: its visible values by column, and its place in the list."""

    values: dict[str, Any]
    place: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A list of a table's rows, filtered and sorted; NotFound if no index supports it."""

    table: Table
    #: The value that each column must equal, as `value_of` parsed it.
    filters: Mapping[str, Any]
    sort: str
    descending: bool

    def page(self, cursor: str | None, *, limit: int = ROWS) -> Page[Row]:
        """Read one page, equally fast at any depth, in one statement."""
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
        """All rows, batch by batch; a slow reader holds no database connection in between."""
        cursor = None
        while True:
            with database.connection_context():
                found = self.page(cursor, limit=BATCH)
            yield found.rows
            cursor = found.next_cursor
            if cursor is None:
                return

    def rows(self, place: Sequence[Any] | None, count: int) -> list[Row]:
        """The first `count` rows after a place (None: from the beginning)."""
        table, names = self.table, frozenset(self.filters)
        terms, condition = table.sorts(names)[self.sort]
        conditions, values = [condition] if condition else [], []
        for term in table.compared(names) if names else ():
            conditions.append(f"{term.sql} = {term.of(f'%s::{term.column.type}')}")
            values.append(self.filters[term.column.name])
        if place is not None:
            # A row comparison, from which a scan of an index in the same order can start. The place's values
            # come from the index expressions, which are applied to them once more: that changes nothing, but
            # turns times back into times without a zone, whatever the session's time zone.
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
    """The list for filters given as texts; NotFound if no index supports it."""
    read = {name: value_of(table.column(name), text) for name, text in filters.items()}
    sorts = table.sorts(frozenset(read))
    if read:
        table.compared(frozenset(read))
    if sort is not None and table.column(sort).name not in sorts:
        raise NotFound
    return Listing(table=table, filters=read, sort=sort or next(iter(sorts)), descending=descending)


def latest(table: Table, filters: Mapping[str, str]) -> Page[Row]:
    """One page of the latest rows that match the filters, oldest first; its cursor says if there are more."""
    found = listing(table, filters, sort="id", descending=True).page(None)
    return found._replace(rows=found.rows[::-1])


def row(table: Table, key: str) -> dict[str, Any]:
    """The visible values of the row with a key; NotFound if there is none, or if the key is hidden."""
    value = value_of(table.column(table.key.name), key)
    shown = ", ".join(column.quoted for column in table.columns)
    statement = f"SELECT {shown} FROM {table.quoted} WHERE {table.key.quoted} = %s::{table.key.type}"
    found = database.execute_sql(statement, (value,)).fetchone()
    if found is None:
        raise NotFound
    return _named(table, found)


def referring(tables: Mapping[str, Table], table: Table, key: Any) -> dict[tuple[str, str], int]:
    """How many rows refer to a row, by table and column, if an index finds them.

    One statement, which counts up to COUNTED + 1 for each.
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
    """Estimates of how many rows each table has."""
    return dict(database.execute_sql(ESTIMATES, ()).fetchall())


def count_small(tables: Iterable[Table]) -> dict[str, int]:
    """How many rows small tables have, in one statement that counts up to COUNTED + 1 of each."""
    names = [(table.name, table.quoted) for table in tables]
    if not names:
        return {}
    counts = (f"(SELECT count(*) FROM (SELECT FROM {quoted} LIMIT {COUNTED + 1}) few)" for _, quoted in names)
    row = database.execute_sql(f"SELECT {', '.join(counts)}", ()).fetchone()
    return dict(zip([name for name, _ in names], row, strict=True))


def value_of(column: Column, text: str) -> Any:
    """Parse a text as a value of a column; NotFound if it is not one."""
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
    """Parse a time in ISO 8601, in UTC if it names no zone; ValueError or OverflowError if it is invalid."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _named(table: Table, found: tuple[Any, ...]) -> dict[str, Any]:
    """A row's values by the names of the visible columns."""
    return dict(zip((column.name for column in table.columns), map(_aware, found), strict=False))


def _aware(value: Any) -> Any:
    """The value, with the zone UTC added if it is a time without a zone."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
