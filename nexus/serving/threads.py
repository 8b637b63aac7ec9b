"""The threads of a worker, in which requests are answered."""

from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread

from nexus.serving.peer import Connection


class Threads:
    """So many threads that answer requests in the order in which they are given.

    They end with their process. An executor would make a promise with a lock of its own for each request, and
    on a busy process what limits it is how often the lock of the interpreter is passed around.
    """

    def __init__(
        self, many: int, answer: Callable[[Connection], bool], then: Callable[[Connection], None]
    ) -> None:
        """Take how many, what answers a request and tells whether its client goes on, and what comes then."""
        self._given: SimpleQueue[Connection | None] = SimpleQueue()
        self._answer = answer
        self._then = then
        self._threads = [Thread(target=self._run, name=f"requests-{n}", daemon=True) for n in range(many)]
        for thread in self._threads:
            thread.start()

    def give(self, conn: Connection) -> None:
        """Have a thread answer a request that has arrived, when one is free."""
        self._given.put(conn)

    def shutdown(self, *, wait: bool = True) -> None:
        """Have the threads end when all that was given is done."""
        for _ in self._threads:
            self._given.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def _run(self) -> None:
        while conn := self._given.get():
            goes_on = False
            with suppress(SystemExit):
                goes_on = bool(self._answer(conn))
            conn.goes_on = goes_on
            self._then(conn)
