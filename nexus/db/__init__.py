"""The database, as the rest of the code uses it: requests, commands, and what its failures answer."""

from collections.abc import Iterator
from contextlib import contextmanager

import peewee
import structlog
from flask import Flask, Response, g
from playhouse.pool import MaxConnectionsExceeded

from nexus.config import Settings
from nexus.db.circuit import Unreachable
from nexus.db.connection import connect, hung_up
from nexus.db.outages import FAILURES, OUTAGES, cause, meaning, reason, sqlstate
from nexus.db.pool import Pool
from nexus.errors import DatabaseUnavailable, PoolExhausted
from nexus.problems import problem

__all__ = [
    "FAILURES",
    "OUTAGES",
    "Pool",
    "connect",
    "database",
    "give_back",
    "hung_up",
    "init_app",
    "reason",
    "session",
    "violated",
]

log = structlog.stdlib.get_logger(__name__)

database = Pool()


@contextmanager
def session() -> Iterator[Pool]:
    """A session for a command, on DATABASE_URL and closed at the end; an outage is DatabaseUnavailable."""
    try:
        if database.is_closed():
            database.connect_directly()
        with database.connection_context():
            yield database
    except OUTAGES as error:
        raise DatabaseUnavailable(reason(error)) from error


def give_back(_: BaseException | None = None) -> None:
    """Return the request's connection to the pool, if it took one."""
    if not database.is_closed():
        database.close()


def violated(error: peewee.IntegrityError) -> str | None:
    """The name of the constraint or unique index that a statement violated."""
    diagnosis = getattr(getattr(error, "orig", None), "diag", None)
    return diagnosis and diagnosis.constraint_name


def init_app(app: Flask, settings: Settings) -> None:
    """Point the pool at the settings' database, opening nothing, and answer its failures with 503."""
    database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)
    database.direct = settings.direct

    def unavailable(error: Exception) -> Response:
        told = meaning(error)
        # That nothing can be reached is told once, by the circuit, and not by each request.
        if not isinstance(cause(error), Unreachable):
            facts = {"request": g.request_id, "sqlstate": sqlstate(error), "reason": reason(error)}
            log.error(told.title.lower(), **facts)
        return problem(told)

    def exhausted(_: Exception) -> Response:
        log.error("no database connection became free", request=g.request_id)
        return problem(PoolExhausted())

    for outage in OUTAGES:
        app.register_error_handler(outage, unavailable)
    app.register_error_handler(MaxConnectionsExceeded, exhausted)
