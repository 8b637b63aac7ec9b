"""A worker as one of several: how many clients the others have, and who is to take its place."""

import mmap
import sys
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from nexus.metric_files import MetricFiles

#: Bytes of an age, which is how the master numbers its workers.
AGE = 8
#: Twice as many as workers can be, since a reload has the old and the new at once.
PLACES = 512

#: The age of the newest worker that serves; shared by all, as what follows.
NEWEST = mmap.mmap(-1, AGE)
#: One more than the clients of each worker that takes in new ones, else 0.
CLIENTS = memoryview(mmap.mmap(-1, 2 * PLACES)).cast("H")


class Sibling(ThreadWorker):  # type: ignore[misc]
    """What a worker tells the others through memory that they share, and learns from them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Be made by the master, before the process is."""
        super().__init__(*args, **kwargs)
        self.alive: bool
        #: The age of the newest worker of its generation once another one is to replace that, else 0; shared
        #: with the master.
        self._replaced = mmap.mmap(-1, AGE)

    def replace(self, newest: int) -> None:
        """Tell this worker, from the master, that those after `newest` will have its place."""
        self._replaced[:] = newest.to_bytes(AGE)

    @property
    def replaced(self) -> bool:
        """Whether it was told so."""
        return any(self._replaced[:])

    @property
    def needed(self) -> bool:
        """Whether those who are to take its place do not serve yet."""
        return self.replaced and NEWEST[:] <= self._replaced[:]

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop, when others serve; at once when asked again, since then the service ends."""
        if not self.alive:
            self._replaced[:] = bytes(AGE)
            self.method_queue.defer(lambda: None)
        super().handle_exit(sig, frame)

    def load_wsgi(self) -> None:
        """Load the code as it is now, which may be newer than the master's, who only says where to count."""
        ours = {name for name in sys.modules if name.partition(".")[0] == "nexus"}
        for name in ours - {MetricFiles.__module__}:
            del sys.modules[name]
        super().load_wsgi()

    def begin(self) -> None:
        """Note that it serves."""
        NEWEST[:] = self.age.to_bytes(AGE)

    def tell(self) -> None:
        """Note how many clients it has."""
        CLIENTS[self.age % PLACES] = self.nr_conns + 1

    def leave(self) -> None:
        """Note that it takes in nobody any more; the master does for one that was killed."""
        CLIENTS[self.age % PLACES] = 0

    @property
    def has_more(self) -> bool:
        """Whether another one has fewer clients."""
        return bool(min(filter(None, CLIENTS.tolist()), default=1) <= self.nr_conns)
