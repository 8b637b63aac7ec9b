"""Whether the database is what the models and the migration files say, and where it is not."""

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
    """The schema cannot be looked at, drafted or rehearsed; the text is one line that says why."""


def differences(history: History) -> list[Difference]:
    """Where the database (left) is not what the models declare (right).

    The models are built beside the tables, in a transaction that is rolled back; the tables themselves are
    not touched. Raises SchemaError, or DatabaseUnavailable.
    """
    with rolled_back(history) as database:
        left = read(database.cursor(), schema(database), tables=tables())
        right = declared(database)
    return compare(left, right)


@contextmanager
def rolled_back(history: History) -> Iterator[Direct]:
    """A connection in a transaction of which nothing stays."""
    database = Direct(history.url, wait=history.wait)
    with said("the models cannot be held against the database"), database.connection_context():
        database.begin()
        try:
            database.execute_sql("SELECT set_config('lock_timeout', %s, true)", (f"{history.limits.lock}s",))
            yield database
        finally:
            database.rollback()


@contextmanager
def said(what: str) -> Iterator[None]:
    """Turn the server's errors into SchemaError, and a lost connection into DatabaseUnavailable."""
    try:
        yield
    except (*OUTAGES, peewee.PeeweeException) as error:
        # A server that answers gives an SQLSTATE, for a lock timeout too; a broken connection has none.
        if sqlstate(error) is None and isinstance(error, OUTAGES):
            raise DatabaseUnavailable(reason(error)) from error
        raise SchemaError(f"{what}: {reason(error)}") from error


def schema(database: Direct) -> str:
    """The schema in which the migrations make tables."""
    (name,) = database.execute_sql("SELECT current_schema()").fetchone()
    if name is None:
        raise SchemaError("the search path of the database names no schema that exists")
    return str(name)


def disagreements(history: History) -> list[str]:
    """Where migration files and history disagree, and what is pending, which explains what else is found."""
    return [*history.problems(), *(f"{name} is pending" for name in unapplied(history))]


def unapplied(history: History) -> list[str]:
    """The migrations that are pending."""
    return [state.name for state in history.states() if state.applied_at is None]


def lines(found: list[Difference]) -> list[str]:
    """Each difference as a person reads it; what a missing table would have is not told one by one."""
    missing = {one.thing.table for one in found if one.thing.kind == "table"}
    told = (one for one in found if one.thing.kind == "table" or one.thing.table not in missing)
    return [line for one in told for line in _told(one)]


def _told(difference: Difference) -> list[str]:
    thing, left, right = difference.thing, difference.left, difference.right
    named = f"column {thing}" if thing.kind == "column" else str(thing)
    if left is None:
        return [f"missing {named}"]
    if right is None:
        return [f"the models do not know {named}"]
    if thing.kind == "function":
        return [f"{thing}: the database has another body than the models"]
    return [
        f"{thing}: the database has {_fact(left, fact)}, the models {_fact(right, fact)}"
        for fact in difference.changed()
    ]


def _fact(facts: Facts, fact: str) -> str:
    return " ".join((facts[fact] or "no default").split())
