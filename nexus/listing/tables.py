"""The tables as PostgreSQL's catalogue describes them, and which lists of their rows an index supports."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Any, NamedTuple

from nexus.db import database
from nexus.errors import NotFound
from nexus.listing.columns import ALWAYS, CHOICES, HIDDEN, SHOWN

COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, NULL), NOT a.attnotnull
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
    AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum
"""

INDEXES = """
SELECT c.relname, i.indisprimary, i.indisunique, pg_get_expr(i.indpred, i.indrelid), ARRAY(
    SELECT pg_get_indexdef(i.indexrelid, n + 1, true) || coalesce(
        (SELECT format(' COLLATE %%I.%%I', s.nspname, l.collname) FROM pg_collation l
         JOIN pg_namespace s ON s.oid = l.collnamespace
         WHERE l.oid = i.indcollation[n] AND l.collname <> 'default'), '')
    FROM generate_series(0, i.indnkeyatts - 1) n ORDER BY n), ARRAY(
    SELECT i.indoption[n] & 1 = 1 FROM generate_series(0, i.indnkeyatts - 1) n ORDER BY n)
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_am m ON m.oid = x.relam
WHERE c.relnamespace = current_schema()::regnamespace AND i.indisvalid AND m.amname = 'btree'
ORDER BY c.relname, x.relname
"""

REFERENCES = """
SELECT c.relname, a.attname, t.relname
FROM pg_constraint o
JOIN pg_class c ON c.oid = o.conrelid
JOIN pg_class t ON t.oid = o.confrelid
JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = o.conkey[1]
WHERE c.relnamespace = current_schema()::regnamespace AND o.contype = 'f' AND cardinality(o.conkey) = 1
ORDER BY c.relname, a.attname
"""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column; `type` is PostgreSQL's name of its type."""

    name: str
    type: str
    nullable: bool
    choices: tuple[str, ...] = ()
    #: The table that it is a foreign key to.
    refers_to: str | None = None

    @property
    def quoted(self) -> str:
        """Its name in SQL."""
        return quoted(self.name)

    @property
    def is_time(self) -> bool:
        """Whether it holds an instant."""
        return self.type.startswith("timestamp")

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers, which are aligned to the right."""
        return self.type in ("bigint", "integer", "smallint", "numeric")


@dataclass(frozen=True, kw_only=True)
class Term:
    """One key of an index: a column, or an expression on one."""

    column: Column
    sql: str
    descending: bool

    def of(self, value: str) -> str:
        """The same expression of a value, which is given as SQL."""
        return re.sub(_mention(self.column), lambda _: value, self.sql)


class Index(NamedTuple):
    """A B-tree index."""

    terms: tuple[Term, ...]
    unique: bool
    #: The predicate of a partial index that is true of every row; queries must repeat it. None: not partial.
    condition: str | None


class Sort(NamedTuple):
    """A sort order that an index supports: its terms, the table's key last, all in the same direction."""

    terms: tuple[Term, ...]
    #: The condition of the index.
    condition: str | None = None

    @property
    def name(self) -> str:
        """Its name for people: that of its first column."""
        return self.terms[0].column.name


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table, without its hidden columns, except for the key, which may be hidden."""

    name: str
    #: The visible ones.
    columns: tuple[Column, ...]
    key: Column
    #: The indexes that cover all rows and have only visible columns.
    indexes: tuple[Index, ...]
    #: The tables and columns that refer to this one's key.
    referring: tuple[tuple[str, str], ...]

    @property
    def quoted(self) -> str:
        """Its name in SQL."""
        return quoted(self.name)

    @property
    def pageable(self) -> bool:
        """Whether the key is visible, so that links can name a row, and pages begin after one."""
        return self.key in self.columns

    def column(self, name: str) -> Column:
        """The visible column with this name; NotFound for any other."""
        for column in self.columns:
            if column.name == name:
                return column
        raise NotFound

    @cached_property
    def filters(self) -> list[frozenset[str]]:
        """The sets of columns by which an index can filter rows, the smallest first."""
        found = {
            frozenset(term.column.name for term in index.terms[:count])
            for index in self.indexes
            for count in range(1, len(index.terms) + 1)
            if not any(term.column.is_time for term in index.terms[:count])
        }
        return sorted(found, key=lambda names: (len(names), sorted(names)))

    @cached_property
    def filterable(self) -> list[Column]:
        """The columns that occur in any of the `filters`."""
        return [column for column in self.columns if any(column.name in names for names in self.filters)]

    def compared(self, names: frozenset[str]) -> tuple[Term, ...]:
        """The terms by which an index filters on these columns; NotFound if no index does."""
        for index in self._beginning_with(names):
            return index.terms[: len(names)]
        raise NotFound

    def sorts(self, names: frozenset[str]) -> dict[str, Sort]:
        """The sort orders for rows filtered by these columns, by name; the default is first.

        Each ends with the key, and so is a total order. If the index does not end with it, rows with equal
        index keys must be few, since they are sorted each time: few have the same time, many the same status.
        """
        key = Term(column=self.key, sql=self.key.quoted, descending=False)
        found: dict[str, Sort] = {}
        for index in self._beginning_with(names):
            rest = index.terms[len(names) :]
            one_way = len({term.descending for term in rest}) < 2
            nearly_unique = (
                not rest
                or index.unique
                or any(term.column == self.key or term.column.is_time for term in rest)
            )
            if one_way and nearly_unique and not any(term.column.nullable for term in rest):
                terms = (*takewhile(lambda term: term.column != self.key, rest), key)
                found.setdefault(terms[0].column.name, Sort(terms, index.condition))
        first = ("created_at", "at", key.column.name)
        names_in_order = sorted(found, key=lambda name: first.index(name) if name in first else len(first))
        return {name: found[name] for name in names_in_order} or {key.column.name: Sort((key,))}

    def _beginning_with(self, names: frozenset[str]) -> Iterator[Index]:
        for index in self.indexes:
            if {term.column.name for term in index.terms[: len(names)]} == names:
                yield index


def read_tables() -> dict[str, Table]:
    """Every table of the schema with a visible column, by name, in the order of SHOWN."""
    columns: dict[str, list[Column]] = {}
    refers_to = {(table, column): target for table, column, target in _rows(REFERENCES)}
    for table, name, kind, nullable in _rows(COLUMNS):
        columns.setdefault(table, []).append(
            Column(
                name=name,
                type=kind,
                nullable=nullable,
                choices=CHOICES.get((table, name), ()),
                refers_to=refers_to.get((table, name)),
            )
        )
    indexes: dict[str, list[Index]] = {}
    keys: dict[str, Column] = {}
    for table, is_key, unique, condition, expressions, descending in _rows(INDEXES):
        terms = [
            _term(columns[table], sql, descending=down)
            for sql, down in zip(expressions, descending, strict=True)
        ]
        if is_key and len(terms) == 1:
            keys[table] = terms[0].column
        is_whole = condition is None or condition == ALWAYS.get(table)
        if is_whole and all(term.column.name in SHOWN.get(table, ()) for term in terms):
            indexes.setdefault(table, []).append(Index(tuple(terms), unique, condition))
    return {
        table: Table(
            name=table,
            columns=tuple(one for name in names for one in columns[table] if one.name == name),
            key=keys[table],
            indexes=tuple(indexes.get(table, ())),
            referring=tuple(
                (other, column)
                for (other, column), target in refers_to.items()
                if target == table and column in SHOWN.get(other, ())
            ),
        )
        for table, names in SHOWN.items()
        if table in keys
    }


def _term(columns: list[Column], sql: str, *, descending: bool) -> Term:
    """A key of an index; the column of an expression is the one that it mentions."""
    column = next(one for one in columns if re.search(_mention(one), sql))
    return Term(column=column, sql=sql.replace("%", "%%"), descending=descending)


def _mention(column: Column) -> str:
    """A pattern for the mention of a column in an expression, which must not be a function's name."""
    return rf'(?<![\w"]){re.escape(column.name)}(?![\w"(])|"{re.escape(column.name)}"(?!\()'


def undecided() -> list[str]:
    """The columns that are neither in SHOWN nor in HIDDEN, as `table.column`."""
    decided = {(table, name) for part in (SHOWN, HIDDEN) for table, names in part.items() for name in names}
    return [f"{table}.{name}" for table, name, *_ in _rows(COLUMNS) if (table, name) not in decided]


def quoted(name: str) -> str:
    """A quoted identifier, with `%` doubled as statements with parameters require."""
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'


def _rows(statement: str) -> list[tuple[Any, ...]]:
    return list(database.execute_sql(statement, ()).fetchall())
