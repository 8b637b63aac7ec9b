"""A client of the worker: its input, its output, and what its connection is waiting for."""

import errno
import io
import select
import socket
import time
from collections import deque
from threading import Lock, Semaphore
from typing import Any, NoReturn

from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]

from nexus.serving.arrival import Arrival
from nexus.serving.plain import Plain

#: Bytes of a streamed response that are buffered ahead of its reader.
AHEAD = 4_194_304
#: Seconds in which a reader that is further behind must catch up to AHEAD.
PATIENCE = 30.0
#: Bytes that are sent and received in one system call.
PIECE = 262_144
RECEIVED = 65_536

#: The end of a head.
END = b"\r\n\r\n"
#: The start of requests that only read.
READS = (b"GET ", b"HEAD ", b"OPTIONS ")

#: What the loop is waiting for on a connection.
LINGERING, IDLE, IN_HEAD, IN_BODY, SENDING = range(5)
#: Those of a connection whose response is complete, but not sent yet or not read yet.
ANSWERED = (SENDING, LINGERING)


class Outbox(socket.socket):
    """A non-blocking socket that buffers what the client does not accept yet.

    A response in one piece is buffered whole, so its thread is free at once. A thread that streams waits
    while more than AHEAD is buffered; a stream is cut off if as many wait already as `waiting` admits.
    """

    def __init__(self, accepted: socket.socket, waiting: Semaphore) -> None:
        """Take over an accepted connection."""
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        super().setblocking(False)  # noqa: FBT003 - it takes no keyword.
        self.unsent = bytearray()
        self._waiting = waiting

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - it is the socket's.
        """Ignore gunicorn, which would make the socket block."""

    def sendall(self, data: bytes) -> None:  # type: ignore[override]
        """Send or buffer all of it; BrokenPipeError if a stream is too far ahead of its reader."""
        if self.unsent:
            if len(self.unsent) > AHEAD:
                self._wait()
            self.unsent += data
            self.flush()
            return
        try:
            sent = self.send(data)
        except BlockingIOError:
            sent = 0
        self.unsent += data[sent:]

    def flush(self) -> None:
        """Send what the client accepts right now."""
        while self.unsent:
            try:
                sent = self.send(bytes(self.unsent[:PIECE]))
            except BlockingIOError:
                return
            del self.unsent[:sent]

    def _wait(self) -> None:
        if not self._waiting.acquire(blocking=False):
            self._cut("too many responses wait for their readers")
        try:
            deadline = time.monotonic() + PATIENCE
            poll = select.poll()
            poll.register(self, select.POLLOUT)
            while len(self.unsent) > AHEAD:
                left = deadline - time.monotonic()
                if left <= 0 or not poll.poll(left * 1000):
                    self._cut("the client does not read its response")
                self.flush()
        finally:
            self._waiting.release()

    def _cut(self, why: str) -> NoReturn:
        self.unsent.clear()
        # gunicorn takes this error for a disconnected client, and does not log it as a failure.
        raise BrokenPipeError(errno.EPIPE, why)


class Connection(TConn):  # type: ignore[misc]
    """A client's connection, with the input that has not been answered yet."""

    def __init__(
        self, cfg: Any, accepted: socket.socket, client: Any, plain: Plain, waiting: Semaphore
    ) -> None:
        """Take over an accepted connection."""
        outbox = Outbox(accepted, waiting)
        super().__init__(cfg, outbox, client, outbox.getsockname())
        # Creates the parser, which reads nothing yet.
        self.init()
        self._read_plain = plain.reader(client, self.server)
        self.arrival = Arrival(cfg, client, self._read_plain)
        #: The current request, if it has the usual form, and the bytes read after it.
        self.environ: dict[str, Any] | None = None
        self.following = b""
        #: Bytes of the current request, until it is answered.
        self.asked = 0
        #: What the loop is waiting for, and until when; None while a thread has the connection.
        self.held: int | None = None
        self.deadline = 0.0
        #: One item while a thread has the connection and it is still in the poller. Who removes it, the
        #: thread or the loop, is the one to go on with the connection.
        self._lent: list[None] = []
        self._since = 0.0
        #: Whether it has been kept open after a response before.
        self._known = False
        #: Whether its current request may change something.
        self.changes = False
        #: Whether another request may follow the current one.
        self.goes_on = False

    def receive(self) -> None:
        """Read once unless a request is complete; OSError if the client has disconnected."""
        if self.arrival.complete:
            return
        try:
            piece = self.sock.recv(RECEIVED)
        except BlockingIOError:
            return
        if not self.arrival.data and self._read_whole(piece):
            return
        if piece:
            self.arrival.add(piece)
        elif self.arrival.data:
            self.arrival.end()
        else:
            raise ConnectionAbortedError

    def _read_whole(self, piece: bytes) -> bool:
        """Whether this is exactly one request of the usual form, as most are."""
        head, end, body = piece.partition(END)
        environ = self._read_plain(head + end) if end else None
        if environ is None or int(environ.get("CONTENT_LENGTH", "0")) != len(body):
            return False
        self.environ = environ
        environ["wsgi.input"] = io.BytesIO(body)
        self.changes = not piece.startswith(READS)
        self.goes_on = True
        self.asked = len(piece)
        return True

    def stage(self) -> int:
        """How much of a request has arrived."""
        if not self.arrival.data:
            return IDLE
        return IN_BODY if self.arrival.in_body else IN_HEAD

    def hold(self, reason: int, patience: float) -> None:
        """Set what the loop is waiting for, and for how many seconds at most."""
        now = time.monotonic()
        if self.held is None or reason == IDLE:
            self._since = now
        self.deadline = now + patience
        # Last, since from now on the loop uses the connection.
        self.held = reason

    def lend(self) -> None:
        """Let a thread have the connection, which stays in the poller."""
        self._lent.append(None)
        self.held = None

    def take_back(self) -> bool:
        """Take the connection back, in the loop or in its thread; False if it is not lent any more."""
        try:
            self._lent.pop()
        except IndexError:
            return False
        return True

    @property
    def worth(self) -> tuple[bool, bool, bool, float]:
        """The sort key by which connections are closed to make room, lowest first.

        In this order: those that linger, have had no response yet, have had one, are being sent one; among
        equals the one whose current wait began first.
        """
        return self.held != LINGERING, self.held == SENDING, self._known, self._since

    def begin(self) -> None:
        """Prepare the request that has arrived: as parsed here, or for gunicorn to parse it again."""
        arrival = self.arrival
        self.changes = not arrival.data.startswith(READS)
        self.goes_on = not arrival.partial
        self.asked = len(arrival.data)
        self.environ = arrival.environ if self.goes_on else None
        if self.environ is None:
            self.parser.unreader.unread(bytes(arrival.data))
        else:
            body, self.following = arrival.take()
            self.environ["wsgi.input"] = io.BytesIO(body)
        arrival.data.clear()

    def expect_another(self) -> None:
        """Start the next request, of which some bytes may have been read."""
        self._known = True
        if self.arrival.complete:
            following = self.following if self.environ else self.parser.unreader.take_buffered()
            self.following = b""
            self.arrival = Arrival(self.cfg, self.client, self._read_plain, following)
        self.environ = None

    @property
    def size(self) -> int:
        """Bytes of memory that it holds."""
        return len(self.arrival.data) + self.asked + len(self.sock.unsent)


class Lane:
    """Admits a limited number of connections at a time, and queues the others."""

    def __init__(self, width: int) -> None:
        """Take the limit."""
        self._free = width
        self._lock = Lock()
        self._queue: deque[Connection] = deque()

    def admits(self, conn: Connection) -> bool:
        """Admit a connection, or queue it for `next` to return."""
        with self._lock:
            if not self._free:
                self._queue.append(conn)
                return False
            self._free -= 1
            return True

    def next(self) -> Connection | None:
        """Release a place; return the connection that takes it, the one that has waited longest."""
        with self._lock:
            if self._queue:
                return self._queue.popleft()
            self._free += 1
            return None

    def queued(self) -> list[Connection]:
        """The waiting connections, in order."""
        return [*self._queue]

    def withdraw(self, conn: Connection) -> bool:
        """Remove a connection from the queue; False if it is not there."""
        with self._lock:
            if conn not in self._queue:
                return False
            self._queue.remove(conn)
            return True
