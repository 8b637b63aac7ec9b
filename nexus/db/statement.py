"""Statements that are run again and again: Peewee builds each once, and only the values change."""

import hashlib
from collections import namedtuple
from collections.abc import Callable, Hashable
from functools import partial
from itertools import repeat
from operator import is_
from typing import Any, NamedTuple

import peewee
from psycopg2.extensions import adapt


class Placeholder(NamedTuple):
    """The placeholder for a value, by its name, that is given when the statement runs."""

    name: str


class Text(str):
    """SQL with named parameters, and the PREPARE and EXECUTE with which a connection runs it prepared."""

    name: str
    prepare: str
    execute: str
    #: Whether it is to be prepared.
    prepared: bool
    #: Makes a row from its values; None until the first result has shown the columns.
    row: Any = None

    @classmethod
    def of(cls, query: Any, database: peewee.Database, *, prepared: bool) -> "Text":
        """Render a query; its constants are written out, since PostgreSQL plans by them."""
        sql, values = database.get_sql_context().sql(query).query()
        shown = (f"%({one.name})s" if isinstance(one, Placeholder) else _literal(one) for one in values)
        text = cls(sql.replace("%%", "%%%%") % tuple(shown))
        text.prepared = prepared
        text.name = f"nexus_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        names = list(dict.fromkeys(one.name for one in values if isinstance(one, Placeholder)))
        numbers = {name: f"${number}" for number, name in enumerate(names, start=1)}
        text.prepare = f"PREPARE {text.name} AS {text % numbers}"
        given = ", ".join(f"%({name})s" for name in names)
        text.execute = f"EXECUTE {text.name} ({given})" if given else f"EXECUTE {text.name}"
        return text


class Statement:
    """Runs the query that a function builds; its SQL is built once for each shape of the arguments.

    It is called like the function, and returns the rows, with columns as attributes and UUIDs as text.
    Positional arguments become part of the query's text, for example a sort order. Keyword arguments are
    values; the function gets placeholders for them, or None: it may test whether a value is None, but not
    what it is.
    """

    def __init__(self, database: peewee.Database, build: Callable[..., Any], *, prepared: bool) -> None:
        """Take the database, the function that builds the query, and whether connections prepare it."""
        self._database = database
        self._build = build
        self._prepared = prepared
        #: By shape: the positional parts, the names of the values, and which of them are None.
        self._texts: dict[Hashable, Text] = {}

    def __call__(self, *parts: Hashable, **values: Any) -> list[Any]:
        """Run the query with these values."""
        # By functions of C alone, since this runs once per query: the names, and which of them are None.
        shape = (parts, *values, *map(is_, values.values(), repeat(None)))
        text = self._texts.get(shape)
        if text is None:
            placeholders = {
                name: None if value is None else peewee.SQL("%s", (Placeholder(name),))
                for name, value in values.items()
            }
            query = self._build(*parts, **placeholders)
            text = self._texts[shape] = Text.of(query, self._database, prepared=self._prepared)
        cursor = self._database.execute_sql(text, values)
        if text.row is None:
            row = namedtuple("Row", [column.name for column in cursor.description])  # type: ignore[misc]
            # As namedtuple's `_make` does it, but without a call into Python code.
            text.row = partial(tuple.__new__, row)
        return [*map(text.row, cursor)]


def _literal(constant: Any) -> str:
    adapted = adapt(constant)
    if isinstance(constant, str):
        adapted.encoding = "utf-8"
    return str(adapted.getquoted().decode()).replace("%", "%%")
