"""The pool: how many connections a process has, who has them, and which of them are still good."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from playhouse.pool import MaxConnectionsExceeded, PoolConnection, PooledPostgresqlDatabase

from nexus import metrics
from nexus.database_url import DatabaseURL
from nexus.db.circuit import Circuit
from nexus.db.connection import LostServer, WrongServer, connect, connect_to_serve, hung_up
from nexus.db.outages import OUTAGES, cause
from nexus.db.retrying import only_reads, until_through
from nexus.db.watchdog import Watchdog

#: Limits are for the web process; a command takes the time that it needs. Behind a pooler the setting could
#: outlive the command in another's hands, so there, where process numbers differ, it is left alone.
UNLIMITED = """
SELECT set_config('statement_timeout', '0', false),
       set_config('idle_in_transaction_session_timeout', '0', false)
WHERE pg_backend_pid() = %s
"""

Given = ParamSpec("Given")
Result = TypeVar("Result")


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
        self._circuit = Circuit()
        self._watchdog = Watchdog(self._count)
        #: Connections opened before this time (monotonic clock) lead to the wrong server and are not reused.
        self._good_since = 0.0
        #: Where commands connect, past any pooler; None: the embedded server.
        self.direct: DatabaseURL | None = None

    def configure(self, url: DatabaseURL | None, *, size: int, wait: int) -> None:
        """Say where to connect (None: the embedded server), how often at most, and the seconds to wait."""
        if not self.deferred:
            self.close_all()
        self._url, self._wait = url, float(wait)
        self._circuit = Circuit()
        self.init("nexus", max_connections=size)

    def _connect(self) -> Any:
        place = object()
        deadline = time.monotonic() + self._wait
        waited = False
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
                if not waited:
                    waited = True
                    metrics.counted().pool_waits.inc()
                # By the clock and not by `wait`: a thread that is notified just as its time ends must look
                # once more, since no other thread is notified of that connection.
                if (left := deadline - time.monotonic()) <= 0:
                    metrics.counted().pool_refusals.inc()
                    raise MaxConnectionsExceeded
                self._pool_available.wait(left)
        began, connection = time.monotonic(), None
        try:
            metrics.counted().pool_size.set(self._max_connections)
            with self._circuit.connecting():
                connection = connect_to_serve(self._url, wait=self._wait, watch=self._watchdog.watch)
        finally:
            with self._pool_available:
                del self._in_use[id(place)]
                if connection is None:
                    self._pool_available.notify()
                else:
                    self._in_use[id(connection)] = PoolConnection(began, connection, time.time())
        return connection

    def connect_directly(self) -> None:
        """Give this thread a session of its own, which is no part of the pool and ends when it is closed."""
        connection = connect(self.direct, wait=self._wait)
        connection.cursor().execute(UNLIMITED, (connection.info.backend_pid,))
        self._state.set_connection(connection)

    def _close(self, conn: Any, close_conn: bool = False) -> None:  # noqa: FBT001, FBT002 - Peewee's own.
        ours = self._in_use.get(id(conn))
        super()._close(conn, close_conn or ours is None or ours.timestamp < self._good_since)

    def has_room(self) -> bool:
        """Whether a connection can be had at this moment without a wait for another's."""
        return bool(len(self._in_use) < self._max_connections)

    def _count(self) -> None:
        metrics.counted().pool_in_use.set(len(self._in_use))

    def renew(self) -> None:
        """Reuse none of the present connections: the server that they lead to takes no writes any more."""
        self._good_since = time.monotonic()
        self.close_idle()

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        """Run a statement; outside a transaction again, where a second run can do no harm.

        That is a statement that PostgreSQL rolled back for another transaction's sake, or a read whose
        connection turns out dead. A write is not repeated then: the server may have done it before the
        connection broke.
        """
        run: Any = super().execute_sql
        try:
            return run(sql, params) if self.in_transaction() else until_through(lambda: run(sql, params))
        except OUTAGES as error:
            if isinstance(cause(error), WrongServer):
                self.renew()
            if self.in_transaction() or isinstance(cause(error), LostServer) or not only_reads(sql):
                raise
            if not self._replace_dead():
                raise
        return run(sql, params)

    def rerun(self, verb: Callable[Given, Result]) -> Callable[Given, Result]:
        """Decorate a verb that is one transaction: it is run again as `until_through` says, as a whole.

        Inside another transaction it is a part of that one, which can only be run again as a whole.
        """

        @wraps(verb)
        def run(*args: Given.args, **kwargs: Given.kwargs) -> Result:
            if self.in_transaction():
                return verb(*args, **kwargs)
            return until_through(lambda: verb(*args, **kwargs))

        return run

    def _replace_dead(self) -> bool:
        """Replace this thread's connection if it is the pool's and broken; whether it was replaced."""
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
