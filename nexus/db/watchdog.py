"""The thread that looks at connections from outside: how many are in use, and whose server is silent."""

import threading
import time
import weakref
from collections.abc import Callable

from nexus.db.connection import Served

#: Seconds between two looks.
PACE = 0.5


class Watchdog:
    """Cuts off connections whose server, without hanging up, does not answer any more.

    From outside, so that a statement pays with two attributes for its limit, and no request for the count.
    """

    def __init__(self, count: Callable[[], None]) -> None:
        """Take what counts the connections that are in use."""
        self._count = count
        self._lock = threading.Lock()
        self._watched: weakref.WeakSet[Served] = weakref.WeakSet()
        self._thread: threading.Thread | None = None

    def watch(self, connection: Served) -> None:
        """Look after a connection as long as it is there."""
        with self._lock:
            self._watched.add(connection)
            # Here and not earlier: a process that is forked off has no thread of its parent's.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)
                self._thread.start()

    def _look(self) -> None:
        while True:
            time.sleep(PACE)
            with self._lock:
                watched = list(self._watched)
            for connection in watched:
                if connection.late():
                    connection.cut()
            # Last, since nothing may keep those from being cut off.
            self._count()
