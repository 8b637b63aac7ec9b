"""Which thread runs a worker's event loop: it answers quick reads itself, until one of them blocks it."""

import time
from threading import Event
from typing import Any

from nexus.serving.answering import Answering
from nexus.serving.peer import Connection
from nexus.serving.threads import Threads

#: Seconds between two checks of the request that is answered in the loop: one that is seen twice blocks the
#: loop. Seconds without such a request, after which the main thread stops checking.
TICK = 0.01
REST = 1.0
#: Reads in a sample; the ratio of a read's wall time to its CPU time up to which it counts as quick; and the
#: seconds for which reads go to the threads if most of a sample were not quick.
SAMPLE = 64
QUICK = 4.0
PAUSE = 1.0


class Pace:
    """Whether reads are quick: those that mostly wait, as for a distant database, must not block the loop.

    Reads are counted and their times not added up, since on a shared machine the processor can be away for
    longer than a whole sample takes.
    """

    def __init__(self) -> None:
        self._resumes = 0.0
        self._reads, self._slow = 0, 0

    def suits(self) -> bool:
        """Whether the next read may be answered in the loop."""
        return time.monotonic() >= self._resumes

    def note(self, seconds: float, *, computed: float) -> None:
        """Record a read: its wall time, and its CPU time."""
        self._reads += 1
        self._slow += seconds > QUICK * computed
        if self._reads == SAMPLE:
            if self._slow > SAMPLE / 2:
                self._resumes = time.monotonic() + PAUSE
            self._reads, self._slow = 0, 0


class TakenOver(Exception):
    """The other thread runs the loop now."""


class Leading(Answering):
    """A worker with two threads for its loop, one of which runs it.

    Passing a request from the loop to a thread and back costs a large part of what a quick read does, so
    the loop answers quick reads itself. If one takes too long, the other thread takes over the loop, and
    hands all requests to threads until the first has finished. The main thread controls this, and signals.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Called in the master, before the worker's process is forked."""
        super().__init__(*args, **kwargs)
        self._pace = Pace()
        self._leaders: Threads
        #: Whether the other thread is free to take over.
        self._spare = True
        #: What the loop is doing that could block it, and for which connection. Which thread removes it, its
        #: own or the main one, decides who runs the loop.
        self._here: list[tuple[object, Connection | None]] = []
        self._woken = Event()
        self._over = Event()
        #: Whether to stop at once.
        self._quits = False
        self._failure: BaseException | None = None

    def loop(self) -> None:
        """Serve until stopped."""
        raise NotImplementedError

    def release(self, conn: Connection) -> None:
        """Stop waiting for events of a connection."""
        raise NotImplementedError

    def finish(self, conn: Connection) -> None:
        """Keep or close a connection, in the loop, that has had its response."""
        raise NotImplementedError

    def give_back(self, conn: Connection) -> bool:
        """Give a connection that has had its response back, in a thread; False if the loop must decide."""
        raise NotImplementedError

    def get_thread_pool(self) -> Threads:
        """Create the threads for requests, after the process has started."""
        return Threads(self.cfg.threads, "requests")

    def give(self, conn: Connection) -> None:
        """Let a thread answer a request."""
        self.tpool.give(lambda: self._answer(conn))

    def _answer(self, conn: Connection) -> None:
        self._handle(conn)
        if not self.give_back(conn):
            self.method_queue.defer(self.finish_request, conn)

    def _handle(self, conn: Connection) -> None:
        try:
            conn.goes_on = self.handle(conn)
        except SystemExit:
            conn.goes_on = False
        conn.asked = 0
        if conn.environ:
            # The response may wait for a slow client; the request's body need not be kept for that long.
            conn.environ.pop("wsgi.input", None)

    def suits(self, conn: Connection) -> bool:
        """Whether the loop may answer a request: it is a read, nothing is pipelined, and reads are quick."""
        return bool(
            conn.environ
            and not conn.changes
            and not conn.following
            and self._spare
            and self.alive
            and self._pace.suits()
        )

    def answer_here(self, conn: Connection) -> None:
        """Answer a request in the loop; TakenOver if it took so long that the other thread runs the loop."""
        began, computed = time.monotonic(), time.thread_time()
        self._enter(conn.environ, conn)
        self._handle(conn)
        self._pace.note(time.monotonic() - began, computed=time.thread_time() - computed)
        if self._is_taken_over():
            self.method_queue.defer(self.finish_request, conn)
            raise TakenOver
        self.finish(conn)

    def catch_up(self) -> None:
        """Do what requests left for after their responses; TakenOver as in `answer_here`."""
        if not self.left:
            return
        if not self.alive:
            # A loop that is about to end is not taken over.
            self.do_left()
        elif self._spare:
            self._enter(object(), None)
            self.do_left()
            if self._is_taken_over():
                raise TakenOver
        else:
            self.tpool.give(self.do_left)

    def _enter(self, what: object, conn: Connection | None) -> None:
        self._here.append((what, conn))
        if not self._woken.is_set():
            self._woken.set()

    def _is_taken_over(self) -> bool:
        try:
            self._here.pop()
        except IndexError:
            return True
        return False

    def handle_quit(self, *_: Any) -> None:
        """Stop at once. May be called twice: a terminal signals every process, and the master its workers.

        It only sets a flag. An exception raised in a signal handler, like gunicorn's, could interrupt
        anything, such as an import or the use of a lock.
        """
        self.alive = False
        self._quits = True
        self.method_queue.defer(self._woken.set)

    def watch(self) -> None:
        """Start the loop, watch it, and wait for its end, in the main thread."""
        self._leaders = Threads(2, "loop")
        self._leaders.give(self._lead)
        seen: object = None
        since = 0.0
        while not self._quits and not self._over.wait(TICK):
            # A connection alone would not tell the requests of a client apart.
            present = next((what for what, _ in self._here[:1]), None)
            if present is not None:
                since = time.monotonic()
                if present is seen:
                    self._take_over()
            elif time.monotonic() - since > REST:
                self._woken.clear()
                if not self._here and not self._over.is_set() and not self._quits:
                    self._woken.wait(REST)
            seen = present
        # If it stops at once, the loop may have something left.
        self.do_left()
        if self._failure:
            raise self._failure

    def _take_over(self) -> None:
        self._spare = False
        try:
            _, conn = self._here.pop()
        except IndexError:
            # It has just finished.
            self._spare = True
            return
        if conn:
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
        self._woken.set()
