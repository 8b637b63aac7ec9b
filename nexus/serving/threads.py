"""The threads of a worker."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread


class Threads:
    """So many threads that do what they are given, in the order in which it came.

    They end with their process. An executor would make a promise with a lock of its own for each request, and
    on a busy process what limits it is how often the lock of the interpreter is passed around.
    """

    def __init__(self, many: int, name: str) -> None:
        """Take how many, and what they are called."""
        self._given: SimpleQueue[Callable[[], object]] = SimpleQueue()
        for number in range(many):
            Thread(target=self._run, name=f"{name}-{number}", daemon=True).start()

    def give(self, job: Callable[[], object]) -> None:
        """Have a thread do it, when one is free."""
        self._given.put(job)

    def _run(self) -> None:
        while True:
            self._given.get()()
