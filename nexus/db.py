"""The database: one pool a process, filled when a query first needs it, and what its failures mean."""

import select
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import peewee
import psycopg2
import structlog
from flask import Flask, Response, g
from playhouse.pool import MaxConnectionsExceeded, PoolConnection, PooledPostgresqlDatabase

from nexus import embedded
from nexus.config import Settings
from nexus.database_url import DatabaseURL
from nexus.errors import DatabaseUnavailable, PoolExhausted
from nexus.problems import problem

log = structlog.stdlib.get_logger(__name__)

#: Raised when the server or the way to it is at fault, rather than a query of ours.
OUTAGES = (
    peewee.OperationalError,
    peewee.InterfaceError,
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    embedded.EmbeddedError,
)

#: Whatever PostgreSQL or the way to it can raise, with Peewee around it or without.
FAILURES = (peewee.PeeweeException, psycopg2.Error, embedded.EmbeddedError)

#: Limits are for the web process; a command takes the time that it needs. Behind a pooler the setting could
#: outlive the command in another's hands, so there, where process numbers differ, it is left alone.
UNLIMITED = """
SELECT set_config('statement_timeout', '0', false),
       set_config('idle_in_transaction_session_timeout', '0', false)
WHERE pg_backend_pid() = %s
"""


class Pool(PooledPostgresqlDatabase):
    """Peewee's pool, with checks and connects that never make one request wait for another's.

    Peewee holds a lock while it connects and while it probes an idle connection by a round trip. One
    server that does not answer then stalls every thread of the process, those that only want to give a
    connection back included. Here the lock is held for book-keeping alone.
    """

    #: Peewee's, for each thread: its connection among other things.
    _state: Any

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[no-untyped-call]
        # All that this lock guards is local to a thread.
        self._lock = nullcontext()
        self._url: DatabaseURL | None = None
        self._wait = 0.0
        #: Where commands connect, past any pooler; None: the embedded server.
        self.direct: DatabaseURL | None = None

    def configure(self, url: DatabaseURL | None, *, size: int, wait: int) -> None:
        """Say where to connect (None: the embedded server), how often at most, and the seconds to wait."""
        if not self.deferred:
            self.close_all()
        self._url, self._wait = url, float(wait)
        self.init("nexus", max_connections=size)

    def _connect(self) -> Any:
        place = object()
        deadline = time.monotonic() + self._wait
        with self._pool_available:
            while True:
                while self._connections:
                    since, _, connection = self._connections.pop()
                    if not hung_up(connection):
                        self._in_use[id(connection)] = PoolConnection(since, connection, time.time())
                        return connection
                    self._close_raw(connection)
                if len(self._in_use) < self._max_connections:
                    # The place is taken before the connection exists, so that the limit holds.
                    self._in_use[id(place)] = place
                    break
                if not self._pool_available.wait(deadline - time.monotonic()):
                    raise MaxConnectionsExceeded
        connection = None
        try:
            connection = connect(self._url, wait=self._wait)
        finally:
            with self._pool_available:
                del self._in_use[id(place)]
                if connection is None:
                    self._pool_available.notify()
                else:
                    self._in_use[id(connection)] = PoolConnection(time.time(), connection, time.time())
        return connection

    def connect_directly(self) -> None:
        """Give this thread a session of its own, which is no part of the pool and ends when it is closed."""
        connection = connect(self.direct, wait=self._wait)
        connection.cursor().execute(UNLIMITED, (connection.info.backend_pid,))
        self._state.set_connection(connection)

    def _close(self, conn: Any, close_conn: bool = False) -> None:  # noqa: FBT001, FBT002 - Peewee's own.
        super()._close(conn, close_conn or id(conn) not in self._in_use)

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        """Run a statement; a read outside a transaction whose connection turns out dead is run once more.

        A write is not: the server may have done it before the connection broke.
        """
        run: Any = super().execute_sql
        try:
            return run(sql, params)
        except OUTAGES:
            if self.in_transaction() or not sql.startswith("SELECT") or not self._replace_dead():
                raise
        return run(sql, params)

    def _replace_dead(self) -> bool:
        """Whether this thread's connection was broken, in which case it has another one now."""
        connection = self._state.conn
        # A command's own session is not replaced: what it has set there would be lost without a word.
        if id(connection) not in self._in_use or not connection.closed:
            return False
        self._close(connection, close_conn=True)
        # Whatever ended this one is likely to be ending those, and may not have reached them yet.
        self.close_idle()
        # In place: whoever opened the block in which we are will close what it finds at its end.
        self._state.conn = self._connect()
        return True


def connect(url: DatabaseURL | None, *, wait: float) -> Any:
    """Open a psycopg2 connection in autocommit, to the embedded server when there is no URL."""
    target = url or DatabaseURL.parse(embedded.url())
    hosts = target.parameters.get("host", "").count(",") + 1
    limits: dict[str, Any] = {
        # libpq tries the hosts one after another, each for this long, and takes 1 for 2.
        "connect_timeout": max(2, int(wait / hosts)),
        # A network that drops packets without a word is noticed in seconds, not after 15 minutes.
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 2,
        "tcp_user_timeout": 5000,
    }
    connection = psycopg2.connect(**{**limits, **target.parameters})
    connection.autocommit = True
    return connection


def hung_up(connection: Any) -> bool:
    """Whether the server closed an idle connection, told by the socket without asking the server.

    A connection between two queries has nothing to read; when it has, that is the server's goodbye.
    """
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


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


def reason(error: Exception) -> str:
    """What the driver said, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def init_app(app: Flask, settings: Settings) -> None:
    """Point the pool at the settings' database, opening nothing, and answer its failures with 503."""
    database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)
    database.direct = settings.direct

    def unavailable(error: Exception) -> Response:
        log.error("database unavailable", request=g.request_id, reason=reason(error))
        return problem(DatabaseUnavailable(reason(error)))

    def exhausted(_: Exception) -> Response:
        log.error("no database connection became free", request=g.request_id)
        return problem(PoolExhausted())

    for outage in OUTAGES:
        app.register_error_handler(outage, unavailable)
    app.register_error_handler(MaxConnectionsExceeded, exhausted)
