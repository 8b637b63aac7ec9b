"""The database as the rest of the code uses it: in requests, in commands, and when it fails."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import peewee
import structlog
from flask import g
from playhouse.pool import MaxConnectionsExceeded

from nexus.application import Application
from nexus.config import Settings
from nexus.db.circuit import Unreachable
from nexus.db.outages import OUTAGES, cause, client_error, reason, sqlstate
from nexus.db.pool import Pool
from nexus.db.statement import Statement
from nexus.errors import DatabaseUnavailable, NexusError, PoolExhausted
from nexus.problems import problem

log = structlog.stdlib.get_logger(__name__)

#: The errors of a request that could not use the database.
UNAVAILABLE = (*OUTAGES, MaxConnectionsExceeded)

database = Pool()


@contextmanager
def session() -> Iterator[Pool]:
    """A database session for a command, closed at the end; an outage raises DatabaseUnavailable."""
    try:
        if database.is_closed():
            database.connect_directly()
        with database.connection_context():
            yield database
    except OUTAGES as error:
        raise DatabaseUnavailable(reason(error)) from error


def statement(*, prepared: bool) -> Callable[[Callable[..., Any]], Statement]:
    """Decorate a function that builds a query: it is built once, and each call runs it (see `Statement`).

    A `prepared` statement may be run with a generic plan, so no value may need a plan of its own.
    """
    return partial(Statement, database, prepared=prepared)


def violated(error: peewee.IntegrityError) -> str | None:
    """The name of the constraint or unique index that a statement violated."""
    diagnosis = getattr(getattr(error, "orig", None), "diag", None)
    return diagnosis and diagnosis.constraint_name


def init_app(app: Application, settings: Settings) -> None:
    """Point the pool at the configured database without connecting, and answer its failures with 503."""
    database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)
    database.direct = settings.direct
    app.ending.append(database.release)

    for outage in UNAVAILABLE:
        app.register_error_handler(outage, lambda error: problem(unavailable(error)))


def unavailable(error: Exception) -> NexusError:
    """Log an error of UNAVAILABLE that made the current request fail; the error to report to the client."""
    if isinstance(error, MaxConnectionsExceeded):
        log.error("no database connection became free", request=g.request_id)
        return PoolExhausted()
    shown = client_error(error)
    # The circuit logs once that the database is unreachable, so that not every request does.
    if not isinstance(cause(error), Unreachable):
        log.error(shown.title.lower(), request=g.request_id, sqlstate=sqlstate(error), reason=reason(error))
    return shown
