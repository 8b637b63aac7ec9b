"""The connection pool of a process: how many connections it has, who uses them, and which still work."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from playhouse.pool import MaxConnectionsExceeded, PoolConnection, PooledPostgresqlDatabase

from nexus import metrics
from nexus.database_url import DatabaseURL
from nexus.db.circuit import Circuit
from nexus.db.connection import LostServer, WrongServer, closed_by_server, connect, connect_to_serve
from nexus.db.outages import OUTAGES, cause
from nexus.db.retrying import only_reads, with_retries
from nexus.db.watchdog import Watchdog

#: Time limits are for the web process; a command may take as long as it needs. Behind a pooler, which a
#: different process number reveals, nothing is set: it could outlive the command and reach other clients.
UNLIMITED = """
SELECT set_config('statement_timeout', '0', false),
       set_config('idle_in_transaction_session_timeout', '0', false)
WHERE pg_backend_pid() = %s
"""

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Pool(PooledPostgresqlDatabase):
    """Peewee's pool, changed so that connecting and checking never make one request wait for another.

    Peewee holds a lock while it connects, and while it checks an idle connection by a round trip. A server
    that does not respond would then stall every thread of the process, even those that only want to return a
    connection. Here the lock is held for bookkeeping alone.
    """

    #: Peewee's thread-local state, which holds the thread's connection.
    _state: Any

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[no-untyped-call]
        # Everything that this lock would guard is thread-local.
        self._lock = nullcontext()
        self._url: DatabaseURL | None = None
        self._wait = 0.0
        #: How many threads wait for a connection.
        self._waiting = 0
        self._circuit = Circuit()
        self._watchdog = Watchdog(self._count)
        #: Connections opened before this time (monotonic clock) lead to a wrong or silent server; not reused.
        self._good_since = 0.0
        #: Where commands connect, past any pooler; None: the embedded server.
        self.direct: DatabaseURL | None = None

    def configure(self, url: DatabaseURL | None, *, size: int, wait: int) -> None:
        """Set the server (None: the embedded one), the number of connections, and the seconds to wait."""
        if not self.deferred:
            self.close_all()
        self._url, self._wait = url, float(wait)
        self._circuit = Circuit()
        self.init("nexus", max_connections=size)

    def _connect(self) -> Any:
        reserved = object()
        deadline = time.monotonic() + self._wait
        waited = False
        with self._pool_lock:
            while True:
                while self._connections:
                    since, _, connection = self._connections.pop()
                    if not closed_by_server(connection):
                        self._in_use[id(connection)] = PoolConnection(since, connection, time.time())
                        return connection
                    self._close_raw(connection)
                if len(self._in_use) < self._max_connections:
                    # Reserved before the connection exists, so that the limit holds.
                    self._in_use[id(reserved)] = reserved
                    break
                if not waited:
                    waited = True
                    metrics.counted().pool_waits.inc()
                # By the clock and not by the result of `wait`: a thread that is notified just as its time
                # ends must look once more, since no other thread is notified of that connection.
                if (left := deadline - time.monotonic()) <= 0:
                    metrics.counted().pool_refusals.inc()
                    raise MaxConnectionsExceeded
                self._waiting += 1
                try:
                    self._pool_available.wait(left)
                finally:
                    self._waiting -= 1
        began, connection = time.monotonic(), None
        try:
            metrics.counted().pool_size.set(self._max_connections)
            with self._circuit.connecting():
                connection = connect_to_serve(self._url, wait=self._wait, watch=self._watchdog.watch)
        finally:
            with self._pool_lock:
                del self._in_use[id(reserved)]
                if connection is None:
                    self._pool_available.notify()
                else:
                    self._in_use[id(connection)] = PoolConnection(began, connection, time.time())
        return connection

    def cursor(self, named_cursor: Any = None) -> Any:  # noqa: ARG002 - Peewee's own.
        """A cursor on this thread's connection, which is taken from the pool first if there is none."""
        if self._state.closed:
            self._state.set_connection(self._connect())
        return self._state.conn.cursor()

    def connect_directly(self) -> None:
        """Give this thread a connection outside the pool, which really closes when it is closed."""
        connection = connect(self.direct, wait=self._wait)
        connection.cursor().execute(UNLIMITED, (connection.info.backend_pid,))
        self._state.set_connection(connection)

    def _close(self, conn: Any, close_conn: bool = False) -> None:  # noqa: FBT001, FBT002 - Peewee's own.
        with self._pool_lock:
            ours = self._in_use.pop(id(conn), None)
            if self._waiting:
                self._pool_available.notify()
            if ours and not close_conn and ours.timestamp >= self._good_since and self._can_reuse(conn):
                # The 0 is for Peewee's heap, which is a stack here.
                self._connections.append((ours.timestamp, 0, conn))
            else:
                self._close_raw(conn)

    def release(self) -> None:
        """Return this thread's connection, if it has one; a transaction left open is rolled back."""
        if not self._state.closed:
            try:
                self._close(self._state.conn)
            finally:
                self._state.reset()

    def has_room(self) -> bool:
        """Whether a connection is available right now, without waiting for another thread to return one."""
        return bool(len(self._in_use) < self._max_connections)

    def _count(self) -> None:
        metrics.counted().pool_in_use.set(len(self._in_use))

    def renew(self) -> None:
        """Reuse none of the present connections: their server no longer accepts writes, or is silent."""
        self._good_since = time.monotonic()
        self.close_idle()

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        """Run a statement; outside a transaction, rerun it where that can do no harm.

        That is a statement that PostgreSQL rolled back for another transaction's sake, or a read whose
        connection turned out to be dead. A write on a dead connection is not rerun: the server may have
        executed it before the connection broke.
        """
        run: Any = super().execute_sql
        try:
            return run(sql, params) if self.in_transaction() else with_retries(lambda: run(sql, params))
        except OUTAGES as error:
            # The others may lead to the same silent server, where the next request would wait as long again.
            if isinstance(cause(error), WrongServer | LostServer):
                self.renew()
            if self.in_transaction() or isinstance(cause(error), LostServer) or not only_reads(sql):
                raise
            if not self._replace_dead():
                raise
        return run(sql, params)

    def rerun(self, verb: Callable[Given, Result]) -> Callable[Given, Result]:
        """Decorate a function that is one transaction: it is rerun as a whole, as `with_retries` says.

        Called inside another transaction it is not rerun, since only the outer one can be, as a whole.
        """

        @wraps(verb)
        def run(*args: Given.args, **kwargs: Given.kwargs) -> Result:
            if self.in_transaction():
                return verb(*args, **kwargs)
            return with_retries(lambda: verb(*args, **kwargs))

        return run

    def _replace_dead(self) -> bool:
        """Replace this thread's connection if it is the pool's and broken; whether it was replaced."""
        connection = self._state.conn
        # A command's own connection is not replaced: its session's settings would be silently lost.
        if id(connection) not in self._in_use or not connection.closed:
            return False
        self._close(connection, close_conn=True)
        # Whatever ended this connection is likely to be ending the idle ones too.
        self.close_idle()
        # In place: the block that opened the connection will close whatever is there at its end.
        self._state.conn = self._connect()
        return True
