"""The comparison of the database with the models and the migration files."""

from collections.abc import Iterator
from contextlib import contextmanager

import peewee

from nexus.db.outages import OUTAGES, reason, sqlstate
from nexus.errors import DatabaseUnavailable
from nexus.migrate.catalogue import Difference, Facts, compare, read
from nexus.migrate.declared import declared, tables
from nexus.migrate.history import History
from nexus.migrate.running import Direct


class SchemaError(Exception):
    """A check, draft or rehearsal is not possible; the text is one line that says why."""


def differences(history: History) -> list[Difference]:
    """The differences between the database (left) and the models (right).

    The models' tables are created in another schema, in a transaction that is rolled back; the existing
    tables are not touched. Raises SchemaError or DatabaseUnavailable.
    """
    with rolled_back(history) as database:
        left = read(database.cursor(), schema(database), tables=tables())
        right = declared(database)
    return compare(left, right)


@contextmanager
def rolled_back(history: History) -> Iterator[Direct]:
    """A connection in a transaction that is rolled back."""
    database = Direct(history.url, wait=history.wait)
    with schema_errors("the models cannot be compared with the database"), database.connection_context():
        database.begin()
        try:
            database.execute_sql("SELECT set_config('lock_timeout', %s, true)", (f"{history.limits.lock}s",))
            yield database
        finally:
            database.rollback()


@contextmanager
def schema_errors(what: str) -> Iterator[None]:
    """Turn the server's errors into SchemaError, and a lost connection into DatabaseUnavailable."""
    try:
        yield
    except (*OUTAGES, peewee.PeeweeException) as error:
        # Errors from the server have an SQLSTATE, also a lock timeout; a broken connection has none.
        if sqlstate(error) is None and isinstance(error, OUTAGES):
            raise DatabaseUnavailable(reason(error)) from error
        raise SchemaError(f"{what}: {reason(error)}") from error


def schema(database: Direct) -> str:
    """The schema in which the migrations create tables."""
    (name,) = database.execute_sql("SELECT current_schema()").fetchone()
    if name is None:
        raise SchemaError("the search path of the database contains no existing schema")
    return str(name)


def disagreements(history: History) -> list[str]:
    """Where migration files and history disagree, and what is pending, which may explain the differences."""
    return [*history.problems(), *(f"{name} is pending" for name in unapplied(history))]


def unapplied(history: History) -> list[str]:
    """The migrations that are pending."""
    return [state.name for state in history.states() if state.applied_at is None]


def lines(found: list[Difference]) -> list[str]:
    """The differences as text for people; the parts of a missing table are not listed."""
    missing = {one.thing.table for one in found if one.thing.kind == "table"}
    shown = (one for one in found if one.thing.kind == "table" or one.thing.table not in missing)
    return [line for one in shown for line in _lines(one)]


def _lines(difference: Difference) -> list[str]:
    thing, left, right = difference.thing, difference.left, difference.right
    named = f"column {thing}" if thing.kind == "column" else str(thing)
    if left is None:
        return [f"missing {named}"]
    if right is None:
        return [f"the models do not know {named}"]
    if thing.kind == "function":
        return [f"{thing}: the body in the database is not that of the models"]
    return [
        f"{thing}: the database has {_fact(left, fact)}, the models {_fact(right, fact)}"
        for fact in difference.changed()
    ]


def _fact(facts: Facts, fact: str) -> str:
    return " ".join((facts[fact] or "no default").split())
