"""Coordination of workers: how many clients each of them has, and which are to be replaced."""

import mmap
import sys
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from nexus.metric_files import MetricFiles

#: Bytes of an age, the number that the master gives to each worker.
AGE = 8
#: Twice the maximum number of workers, since a reload runs the old and the new ones at once.
PLACES = 512

#: The age of the newest worker that is serving; shared by all workers, like CLIENTS.
NEWEST = mmap.mmap(-1, AGE)
#: For each worker that accepts connections, the number of its clients plus one; otherwise 0.
CLIENTS = memoryview(mmap.mmap(-1, 2 * PLACES)).cast("H")


class Sibling(ThreadWorker):  # type: ignore[misc]
    """A worker that exchanges information with the others through shared memory."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Called in the master, before the worker's process is forked."""
        super().__init__(*args, **kwargs)
        self.alive: bool
        #: The age of its generation's newest worker if a later generation is to replace it, otherwise 0;
        #: shared with the master.
        self._replaced = mmap.mmap(-1, AGE)

    def replace(self, newest: int) -> None:
        """Tell this worker, from the master, that workers after `newest` replace it."""
        self._replaced[:] = newest.to_bytes(AGE)

    @property
    def replaced(self) -> bool:
        """Whether it is to be replaced."""
        return any(self._replaced[:])

    @property
    def needed(self) -> bool:
        """Whether it must keep serving, since none of the workers that replace it is serving yet."""
        return self.replaced and NEWEST[:] <= self._replaced[:]

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop once others are serving; at once if asked again, since then the service is stopping."""
        if not self.alive:
            self._replaced[:] = bytes(AGE)
            self.method_queue.defer(lambda: None)
        super().handle_exit(sig, frame)

    def load_wsgi(self) -> None:
        """Reload the code, which may be newer than the master's; only the module of MetricFiles is kept."""
        ours = {name for name in sys.modules if name.partition(".")[0] == "nexus"}
        for name in ours - {MetricFiles.__module__}:
            del sys.modules[name]
        super().load_wsgi()

    def begin(self) -> None:
        """Publish that it is serving."""
        NEWEST[:] = self.age.to_bytes(AGE)

    def tell(self) -> None:
        """Publish the number of its clients."""
        CLIENTS[self.age % PLACES] = self.nr_conns + 1

    def leave(self) -> None:
        """Publish that it no longer accepts connections; the master does this for a killed worker."""
        CLIENTS[self.age % PLACES] = 0

    @property
    def has_more(self) -> bool:
        """Whether another worker has fewer clients."""
        return bool(min(filter(None, CLIENTS.tolist()), default=1) <= self.nr_conns)
