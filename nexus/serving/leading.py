"""Who runs the loop of a worker: a thread that answers quick reads itself, until one holds it up."""

import time
from contextlib import suppress
from threading import Event
from typing import Any

from nexus.serving.answering import Answering
from nexus.serving.peer import Connection
from nexus.serving.threads import Threads

#: Seconds between two looks at the request that is answered in the loop: one that is seen twice holds the
#: loop up. Seconds without one, after which the main thread stops looking.
TICK = 0.01
REST = 1.0
#: Reads in a sample; the ratio of their wall time to their CPU time up to which they are quick; and the
#: seconds for which reads go to the threads when they are not.
SAMPLE = 64
QUICK = 2.5
PAUSE = 1.0


class Pace:
    """Whether reads are quick: those that mostly wait, on a distant database say, must not block the loop."""

    def __init__(self) -> None:
        self._resumes = 0.0
        self._start()

    def _start(self) -> None:
        self._reads, self._seconds, self._computed = 0, 0.0, 0.0

    def suits(self) -> bool:
        """Whether the next read may be answered in the loop."""
        return time.monotonic() >= self._resumes

    def note(self, seconds: float, *, computed: float) -> None:
        """Record a read: the seconds that it took, and those of them in which it computed."""
        self._reads += 1
        self._seconds += seconds
        self._computed += computed
        if self._reads >= SAMPLE:
            if self._seconds > QUICK * self._computed:
                self._resumes = time.monotonic() + PAUSE
            self._start()


class TakenOver(Exception):
    """The other thread has the loop now."""


class Leading(Answering):
    """A worker with two threads for its loop, of which one has it.

    To pass a request from the loop to a thread and back costs much of what a quick read does, so the loop
    answers those itself. When one takes longer than it should, the other thread gets the loop, and hands all
    requests on until the first has ended. The main thread sees to that, and to signals.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Called in the master, before the worker's process is forked."""
        super().__init__(*args, **kwargs)
        self._pace = Pace()
        self._leaders: Threads
        #: Whether the other thread could take over.
        self._spare = True
        #: The connection answered in the loop. Which thread removes it, its own or the main one, decides who
        #: leads.
        self._here: list[Connection] = []
        self._stirred = Event()
        self._over = Event()
        #: Whether to stop at once.
        self._quits = False
        self._failure: BaseException | None = None

    def loop(self) -> None:
        """Serve to the end."""
        raise NotImplementedError

    def release(self, conn: Connection) -> None:
        """Have the loop wait for nothing from a connection."""
        raise NotImplementedError

    def get_thread_pool(self) -> Threads:
        """Make the threads for requests, when the process has begun."""
        return Threads(self.cfg.threads, "requests")

    def give(self, conn: Connection) -> None:
        """Have a thread answer a request."""
        self.tpool.give(lambda: self._answer(conn))

    def _answer(self, conn: Connection) -> None:
        self._handle(conn)
        self.method_queue.defer(self.finish_request, conn)

    def _handle(self, conn: Connection) -> None:
        goes_on = False
        with suppress(SystemExit):
            goes_on = self.handle(conn)
        conn.goes_on = goes_on
        conn.asked = 0
        if conn.environ:
            # The answer may wait for a slow client; the request's body need not be kept for that long.
            conn.environ.pop("wsgi.input", None)

    def suits(self, conn: Connection) -> bool:
        """Whether the loop may answer a request: a read, none pipelined behind it, while reads are quick."""
        return bool(
            conn.environ
            and not conn.changes
            and not conn.following
            and self._spare
            and self.alive
            and self._pace.suits()
        )

    def answer_here(self, conn: Connection) -> None:
        """Answer a request in the loop; TakenOver when that took so long that the other thread has it."""
        began, computed = time.monotonic(), time.thread_time()
        self._here.append(conn)
        if not self._stirred.is_set():
            self._stirred.set()
        self._handle(conn)
        self._pace.note(time.monotonic() - began, computed=time.thread_time() - computed)
        try:
            self._here.pop()
        except IndexError:
            self.method_queue.defer(self.finish_request, conn)
            raise TakenOver from None
        self.finish_request(conn)

    def handle_quit(self, *_: Any) -> None:
        """Stop at once. It may be called twice: a terminal signals every process, and the master its workers.

        It is only noted here. An exception raised by a signal handler, as gunicorn's is, could interrupt
        anything, such as an import or a lock.
        """
        self.alive = False
        self._quits = True
        self.method_queue.defer(self._stirred.set)

    def watch(self) -> None:
        """Have the loop run, and wait for its end: in the main thread."""
        self._leaders = Threads(2, "loop")
        self._leaders.give(self._lead)
        seen: object = None
        since = 0.0
        while not self._quits and not self._over.wait(TICK):
            # Compared by `environ`, since all requests of a client have the same connection.
            present = next((conn.environ for conn in self._here[:1]), None)
            if present is not None:
                since = time.monotonic()
                if present is seen:
                    self._take_over()
            elif time.monotonic() - since > REST:
                self._stirred.clear()
                if not self._here and not self._over.is_set() and not self._quits:
                    self._stirred.wait(REST)
            seen = present
        if self._failure:
            raise self._failure

    def _take_over(self) -> None:
        self._spare = False
        try:
            conn = self._here.pop()
        except IndexError:
            # It has ended at this moment.
            self._spare = True
            return
        self.release(conn)
        self._leaders.give(self._lead)

    def _lead(self) -> None:
        try:
            self.loop()
        except TakenOver:
            self._spare = True
            return
        except BaseException as error:  # noqa: BLE001 - the main thread raises it.
            self._failure = error
        self._over.set()
        self._stirred.set()
