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
        """Called in the master, before the worker's process is forked."""
        super().__init__(*args, **kwargs)
        self.alive: bool
        #: The age of its generation's newest worker once a later generation is to replace it, else 0; shared
        #: with the master.
        self._replaced = mmap.mmap(-1, AGE)

    def replace(self, newest: int) -> None:
        """Tell this worker, from the master, that workers after `newest` replace it."""
        self._replaced[:] = newest.to_bytes(AGE)

    @property
    def replaced(self) -> bool:
        """Whether it was told so."""
        return any(self._replaced[:])

    @property
    def needed(self) -> bool:
        """Whether it must serve on, since no worker of those that replace it serves yet."""
        return self.replaced and NEWEST[:] <= self._replaced[:]

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop, when others serve; at once when asked again, since then the service ends."""
        if not self.alive:
            self._replaced[:] = bytes(AGE)
            self.method_queue.defer(lambda: None)
        super().handle_exit(sig, frame)

    def load_wsgi(self) -> None:
        """Load the code anew, as it may be newer than the master's; only MetricFiles' module is kept."""
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
        """Note that it accepts no connections any more; the master notes it for a worker that was killed."""
        CLIENTS[self.age % PLACES] = 0

    @property
    def has_more(self) -> bool:
        """Whether another one has fewer clients."""
        return bool(min(filter(None, CLIENTS.tolist()), default=1) <= self.nr_conns)
