"""How a worker accepts clients: evenly over all processes, and closing others if there is no room left."""

import errno
import time
from collections.abc import Iterator
from threading import Semaphore
from typing import Any

from nexus.serving.leading import Leading
from nexus.serving.peer import IDLE, Connection

#: Seconds in which another process with fewer clients may accept a new one, and between two checks of that.
YIELD = 0.02
LOOK = 0.001
#: Seconds for which a stopping worker keeps idle connections: if others replace it, and if the service stops.
IDLE_REPLACED = 10.0
IDLE_STOPPED = 2.0


class Accepting(Leading):
    """A worker that accepts clients."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Called in the master, before the worker's process is forked."""
        super().__init__(*args, **kwargs)
        #: The clients in the poller. Those that the loop is not waiting for, since a thread answers them, are
        #: not held.
        self._connections: set[Connection] = set()
        self._waiting = Semaphore(max(1, self.cfg.threads // 2))
        #: Until when new clients are left to other processes; None if they are not.
        self._yields_until: float | None = None

    def expect(self, conn: Connection) -> None:
        """Wait for the first request of a client."""
        raise NotImplementedError

    def close(self, conn: Connection) -> None:
        """Close a connection."""
        raise NotImplementedError

    def waiting(self) -> Iterator[Connection]:
        """The clients that the loop is waiting for."""
        return (conn for conn in self._connections if conn.held is not None)

    @property
    def longest_wait(self) -> float:
        """The longest time, in seconds, for which the loop may wait for events."""
        return 1.0 if self._yields_until is None else LOOK

    def balance(self) -> None:
        """Accept new clients, but leave them for a moment to other processes that have fewer."""
        self.tell()
        if self._yields_until is not None:
            overdue = time.monotonic() >= self._yields_until
            if overdue:
                self._accept_pending()
            if overdue or not self.has_more:
                self._yields_until = None
        self.set_accept_enabled(self._yields_until is None and self._has_room())

    def stop_accepting(self) -> None:
        """Accept no more clients, and keep those that are idle only for a moment."""
        self._close_listeners()
        self.keep_idle_shortly()

    def keep_idle_shortly(self) -> None:
        """Close, in a moment, the connections that are idle now."""
        until = time.monotonic() + self.idle_when_stopping()
        for conn in self._connections:
            if conn.held == IDLE:
                conn.deadline = min(conn.deadline, until)

    def idle_when_stopping(self) -> float:
        """For how many seconds a stopping worker keeps an idle connection."""
        return IDLE_REPLACED if self.replaced else IDLE_STOPPED

    def _close_listeners(self) -> None:
        """Accept pending connections, and close the listeners, so that no client waits in their queues."""
        self.set_accept_enabled(False)
        self.leave()
        self._yields_until = None
        self._accept_pending()
        for listener in self.sockets:
            listener.close()

    def accept(self, listener: Any) -> None:
        """Accept a new connection, perhaps closing another one, or leave it to other processes.

        Every process is woken by it, and the first would accept all that arrive at the same moment.
        """
        if self.has_more:
            self._yields_until = time.monotonic() + YIELD
        else:
            self._accept(listener)

    def _accept_pending(self) -> None:
        """Accept all pending connections."""
        for listener in self.sockets:
            while self._has_room() and self._accept(listener):
                pass

    def _has_room(self) -> bool:
        return bool(self.nr_conns < self.worker_connections or any(self.waiting()))

    def _accept(self, listener: Any) -> bool:
        try:
            accepted, client = listener.accept()
        except OSError as error:
            if error.errno in (errno.EBADF, errno.EINVAL, errno.ENOTSOCK):
                raise
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                self._make_room()
            # Any other error only concerns this connection.
            return False
        if self.nr_conns >= self.worker_connections:
            self._make_room()
        self.nr_conns += 1
        try:
            conn = Connection(self.cfg, accepted, client, self._plain, self._waiting)
        except OSError:
            # It is already closed.
            self.nr_conns -= 1
            return True
        self.expect(conn)
        return True

    def _make_room(self) -> None:
        """Close the least valuable connection."""
        if waiting := [*self.waiting()]:
            self.close(min(waiting, key=lambda conn: conn.worth))
