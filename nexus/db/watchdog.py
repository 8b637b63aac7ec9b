"""A thread that monitors connections: how many are in use, and whose server is silent."""

import threading
import time
import weakref
from collections.abc import Callable

from nexus.db.connection import Served

#: Seconds between two checks.
PACE = 0.5


class Watchdog:
    """Cuts off connections whose server stays connected but no longer responds.

    In a thread of its own, so that the limit costs a statement two assignments, and the count costs nothing.
    """

    def __init__(self, count: Callable[[], None]) -> None:
        """Take the function that counts the connections in use."""
        self._count = count
        self._lock = threading.Lock()
        self._watched: weakref.WeakSet[Served] = weakref.WeakSet()
        self._thread: threading.Thread | None = None

    def watch(self, connection: Served) -> None:
        """Watch a connection for as long as it exists."""
        with self._lock:
            self._watched.add(connection)
            # Started here and not earlier, since a forked process does not inherit its parent's threads.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)
                self._thread.start()

    def _look(self) -> None:
        while True:
            time.sleep(PACE)
            with self._lock:
                watched = list(self._watched)
            for connection in watched:
                if connection.is_late():
                    connection.cut()
            # Last, so that a failure here does not keep them from being cut off.
            self._count()
