"""The threads of a worker."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread


class Threads:
    """A fixed number of threads that run jobs in the order in which they are given.

    They end with their process. An executor would create a future with its own lock for each request, and a
    busy process is limited by how often the GIL changes hands.
    """

    def __init__(self, count: int, name: str) -> None:
        """Take the number of threads, and the prefix of their names."""
        self._jobs: SimpleQueue[Callable[[], object]] = SimpleQueue()
        for number in range(count):
            Thread(target=self._run, name=f"{name}-{number}", daemon=True).start()

    def give(self, job: Callable[[], object]) -> None:
        """Let a thread run the job, when one is free."""
        self._jobs.put(job)

    def _run(self) -> None:
        while True:
            self._jobs.get()()
