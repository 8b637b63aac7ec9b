"""The tables as the catalogue describes them, and which lists of their rows an index carries."""

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
    """One column; `type` is PostgreSQL's name for what it holds."""

    name: str
    type: str
    nullable: bool
    choices: tuple[str, ...] = ()
    #: The table whose key it holds.
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
        """Whether it is read from the right."""
        return self.type in ("bigint", "integer", "smallint", "numeric")


@dataclass(frozen=True, kw_only=True)
class Term:
    """One thing that an index is sorted by: a column, or an expression of one."""

    column: Column
    sql: str
    descending: bool

    def of(self, value: str) -> str:
        """The same of a value, given as SQL."""
        return re.sub(_mention(self.column), lambda _: value, self.sql)


class Index(NamedTuple):
    """What rows are sorted by in an index."""

    terms: tuple[Term, ...]
    unique: bool
    #: Predicate of a partial index that is true of every row; queries must repeat it. None: not partial.
    condition: str | None


class Sort(NamedTuple):
    """An order of rows that an index carries: by what, ending with the table's key, all one way."""

    terms: tuple[Term, ...]
    #: The index's.
    condition: str | None = None

    @property
    def name(self) -> str:
        """What people know it by: the column that comes first."""
        return self.terms[0].column.name


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table, with nothing of what is hidden but the key, by which PostgreSQL tells rows apart."""

    name: str
    #: Those that are shown.
    columns: tuple[Column, ...]
    key: Column
    #: Indexes over all rows and visible columns only.
    indexes: tuple[Index, ...]
    #: The tables and columns that refer to this one's key.
    referring: tuple[tuple[str, str], ...]

    @property
    def quoted(self) -> str:
        """Its name in SQL."""
        return quoted(self.name)

    @property
    def pageable(self) -> bool:
        """Whether a row can be named, and a page begun after it, by nothing that is hidden."""
        return self.key in self.columns

    def column(self, name: str) -> Column:
        """A column that is shown; NotFound for any other."""
        for column in self.columns:
            if column.name == name:
                return column
        raise NotFound

    @cached_property
    def filters(self) -> list[frozenset[str]]:
        """The sets of columns by whose values an index finds rows; fewest columns first."""
        found = {
            frozenset(term.column.name for term in index.terms[:count])
            for index in self.indexes
            for count in range(1, len(index.terms) + 1)
            if not any(term.column.is_time for term in index.terms[:count])
        }
        return sorted(found, key=lambda names: (len(names), sorted(names)))

    @cached_property
    def filterable(self) -> list[Column]:
        """The columns that occur in `filters`."""
        return [column for column in self.columns if any(column.name in names for names in self.filters)]

    def compared(self, names: frozenset[str]) -> tuple[Term, ...]:
        """What an index compares to find rows by these columns; NotFound where none does."""
        for index in self._beginning_with(names):
            return index.terms[: len(names)]
        raise NotFound

    def sorts(self, names: frozenset[str]) -> dict[str, Sort]:
        """The orders of the rows that are found by these columns, by name; the best to begin with is first.

        Each ends with the key, and so is one of all rows. Where an index does not, rows that are equal by it
        must be few, since they are sorted at every look: those of one time are, those of one status not.
        """
        key = Term(column=self.key, sql=self.key.quoted, descending=False)
        found: dict[str, Sort] = {}
        for index in self._beginning_with(names):
            rest = index.terms[len(names) :]
            one_way = len({term.descending for term in rest}) < 2
            told_apart = (
                not rest
                or index.unique
                or any(term.column == self.key or term.column.is_time for term in rest)
            )
            if one_way and told_apart and not any(term.column.nullable for term in rest):
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
    """Every table of the schema of which something is shown, by name, in the order of the decisions."""
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
    """What an index is sorted by; of an expression, the column is the one that occurs in it."""
    column = next(one for one in columns if re.search(_mention(one), sql))
    return Term(column=column, sql=sql.replace("%", "%%"), descending=descending)


def _mention(column: Column) -> str:
    """How an expression mentions a column, which is no function's name."""
    return rf'(?<![\w"]){re.escape(column.name)}(?![\w"(])|"{re.escape(column.name)}"(?!\()'


def undecided() -> list[str]:
    """The columns that are hidden since nobody has decided about them, as `table.column`."""
    decided = {(table, name) for part in (SHOWN, HIDDEN) for table, names in part.items() for name in names}
    return [f"{table}.{name}" for table, name, *_ in _rows(COLUMNS) if (table, name) not in decided]


def quoted(name: str) -> str:
    """A name as SQL has it, which is also safe among the parameters of a statement."""
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'


def _rows(statement: str) -> list[tuple[Any, ...]]:
    return list(database.execute_sql(statement, ()).fetchall())
