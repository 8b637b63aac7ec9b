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
        self._given: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._threads = [Thread(target=self._run, name=f"{name}-{n}", daemon=True) for n in range(many)]
        for thread in self._threads:
            thread.start()

    def give(self, job: Callable[[], object]) -> None:
        """Have a thread do it, when one is free."""
        self._given.put(job)

    def shutdown(self, *, wait: bool = True) -> None:
        """Have the threads end when all that was given is done."""
        for _ in self._threads:
            self._given.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def _run(self) -> None:
        while job := self._given.get():
            job()
