"""gunicorn's threaded worker, in which no thread waits for a client.

Its event loop reads each request without blocking, hands it to a thread when it is complete, and sends what
the client did not accept at once. Slow clients therefore cost only memory, which is limited.
"""

import errno
import selectors
import socket
import time
from functools import partial
from threading import Semaphore
from typing import Any

from nexus.serving.leading import Leading
from nexus.serving.peer import IDLE, IN_BODY, IN_HEAD, LINGERING, RECEIVED, SENDING, Connection, Lane

#: Seconds in which a response must be read, and bytes that extend them by one.
ANSWER = 30.0
SLOWEST = 16_384
#: Seconds in which a client may read the end of a response, and send what is no longer wanted.
LINGER = 5.0
#: Seconds for which a stopping worker keeps idle connections: if others replace it, and if the service stops.
IDLE_REPLACED = 10.0
IDLE_STOPPED = 2.0
#: Bytes that all connections of a worker may buffer together, in both directions.
HELD = 67_108_864
#: Seconds in which a head must arrive, also on a new connection, and then its body.
PATIENCE = {IN_HEAD: 10.0, IN_BODY: 30.0}

#: Seconds in which another process with fewer clients may accept a new one, and between two checks of that.
YIELD = 0.02
LOOK = 0.001


class Worker(Leading):
    """Waits for clients in its event loop, and handles requests in its threads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Called in the master, before the worker's process is forked."""
        super().__init__(*args, **kwargs)
        self._connections: set[Connection] = set()
        self._waiting = Semaphore(max(1, self.cfg.threads // 2))
        # One thread is reserved for reads, which never wait for the locks of other requests.
        self._changing = Lane(max(1, self.cfg.threads - 1))
        # Bound here, since gunicorn looks a setting up by calling a function.
        self._keepalive = float(self.cfg.keepalive)
        self._sweep_at = 0.0
        #: Until when new clients are left to other processes; None if they are not.
        self._yields_until: float | None = None

    def run(self) -> None:
        """Serve until stopped."""
        self.poller.register(
            self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks
        )
        self.begin()
        self.watch()

    def loop(self) -> None:
        """Serve until asked to stop or until the master has died, then finish what was begun."""
        while self.alive or self.needed:
            self._balance()
            if not self._turn():
                break
        self.alive = False
        self._leave()
        patience = time.monotonic() + self.cfg.graceful_timeout
        while self.nr_conns and time.monotonic() < patience:
            self._turn()
        self.catch_up()
        for conn in list(self._connections):
            self._close(conn)

    def _turn(self) -> bool:
        """Handle pending events; return False, checked once a second, if the master has died."""
        # Of the turn before, perhaps another thread's: all together, so that its code is in the caches.
        self.catch_up()
        self.wait_for_and_dispatch_events(timeout=1.0 if self._yields_until is None else LOOK)
        now = time.monotonic()
        if now < self._sweep_at:
            return True
        self._sweep_at = now + 1.0
        self.notify()
        self._sweep(now)
        return bool(self.is_parent_alive())

    def _leave(self) -> None:
        """Accept pending connections, and close the listeners, so that no client waits in their queues."""
        self.set_accept_enabled(False)
        self.leave()
        self._yields_until = None
        self._accept_pending()
        for listener in self.sockets:
            listener.close()
        until = time.monotonic() + self._idle_when_stopping()
        for conn in self._connections:
            if conn.held == IDLE:
                conn.deadline = min(conn.deadline, until)

    def _idle_when_stopping(self) -> float:
        return IDLE_REPLACED if self.replaced else IDLE_STOPPED

    def _has_room(self) -> bool:
        return bool(self.nr_conns < self.worker_connections or self._connections)

    def _balance(self) -> None:
        """Accept new clients, but leave them for a moment to other processes that have fewer."""
        self.tell()
        if self._yields_until is not None:
            overdue = time.monotonic() >= self._yields_until
            if overdue:
                self._accept_pending()
            if overdue or not self.has_more:
                self._yields_until = None
        self.set_accept_enabled(self._yields_until is None and self._has_room())

    def _accept_pending(self) -> None:
        """Accept all pending connections."""
        for listener in self.sockets:
            while self._has_room() and self._accept(listener):
                pass

    def accept(self, listener: Any) -> None:
        """Accept a new connection, perhaps closing another one, or leave it to other processes.

        Every process is woken by it, and the first would accept all that arrive at the same moment.
        """
        if self.has_more:
            self._yields_until = time.monotonic() + YIELD
        else:
            self._accept(listener)

    def _accept(self, listener: Any) -> bool:
        try:
            accepted, client = listener.accept()
        except OSError as error:
            if error.errno in (errno.EBADF, errno.EINVAL, errno.ENOTSOCK):
                raise
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                self._make_room()
            # Any other error only concerns this connection.
            return False
        if self.nr_conns >= self.worker_connections:
            self._make_room()
        self.nr_conns += 1
        try:
            conn = Connection(self.cfg, accepted, client, self._plain, self._waiting)
        except OSError:
            # It is already closed.
            self.nr_conns -= 1
            return True
        self._await_request(conn, PATIENCE[IN_HEAD])
        return True

    def _make_room(self) -> None:
        """Close the least valuable connection."""
        if self._connections:
            self._close(min(self._connections, key=lambda conn: conn.worth))

    def _await_request(self, conn: Connection, patience: float) -> None:
        """Wait for the next request, unless it has already been read."""
        if conn.arrival.data and self._use(conn):
            return
        if not self.alive:
            patience = min(patience, self._idle_when_stopping())
        stage = conn.stage()
        self._hold(conn, stage, PATIENCE.get(stage, patience))

    def _read(self, conn: Connection, _: Any) -> None:
        """Read what has arrived on a connection."""
        if not self._use(conn) and (stage := conn.stage()) != conn.held:
            conn.hold(stage, PATIENCE[stage])

    def _use(self, conn: Connection) -> bool:
        """Read once, and handle a request if it is complete; False if there is nothing to do yet."""
        arrival = conn.arrival
        try:
            conn.receive()
            if arrival.expects and not arrival.complete:
                arrival.expects = False
                conn.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        except OSError:
            self._close(conn)
            return True
        if conn.environ is None:
            if arrival.refused:
                self._refuse(conn, arrival.refused)
                return True
            if not arrival.complete:
                return False
            conn.begin()
        # Only on an event of the poller: a loop that is taken over here drops its other events, which the
        # poller will report again.
        if conn.held is not None and self.suits(conn):
            self.answer_here(conn)
        else:
            self.release(conn)
            if not conn.changes or self._changing.admits(conn):
                self.give(conn)
        return True

    def finish_request(self, conn: Connection) -> None:
        """Send, in the loop, what the client did not accept yet, then keep or close the connection."""
        if conn.changes and (following := self._changing.next()):
            self.give(following)
        if conn.sock.fileno() < 0:
            self.release(conn)
            self.nr_conns -= 1
        elif conn.sock.unsent:
            self.release(conn)
            self._hold(conn, SENDING, ANSWER + len(conn.sock.unsent) / SLOWEST)
        else:
            self._answered(conn)

    def _send(self, conn: Connection, _: Any) -> None:
        try:
            conn.sock.flush()
        except OSError:
            self._close(conn)
            return
        if not conn.sock.unsent:
            self.release(conn)
            self._answered(conn)

    def _answered(self, conn: Connection) -> None:
        if conn.goes_on:
            conn.expect_another()
            if conn.held is None:
                self._await_request(conn, self._keepalive)
            else:
                # It was answered in the loop and stays in the poller, so that others get their turn first.
                conn.hold(IDLE, self._keepalive)
            return
        self.release(conn)
        # Closing at once would reset the connection, and the client might lose the response.
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._hold(conn, LINGERING, 0.0)
            self._close(conn)
        else:
            self._hold(conn, LINGERING, LINGER)

    def _ignore(self, conn: Connection, _: Any) -> None:
        """Discard what the client sends, until it closes the connection."""
        try:
            if not conn.sock.recv(RECEIVED):
                self._close(conn)
        except BlockingIOError:
            pass
        except OSError:
            self._close(conn)

    def _refuse(self, conn: Connection, status: int) -> None:
        self.release(conn)
        conn.goes_on = False
        conn.arrival.data.clear()
        self.refuse(conn.sock, conn.client, status, "it has not arrived completely")
        self._answered(conn)

    def _hold(self, conn: Connection, reason: int, patience: float) -> None:
        wanted, then = {
            SENDING: (selectors.EVENT_WRITE, self._send),
            LINGERING: (selectors.EVENT_READ, self._ignore),
        }.get(reason, (selectors.EVENT_READ, self._read))
        self.poller.register(conn.sock, wanted, partial(then, conn))
        self._connections.add(conn)
        conn.hold(reason, patience)

    def release(self, conn: Connection) -> None:
        """Stop waiting for events of a connection."""
        if conn.held is not None:
            self.poller.unregister(conn.sock)
            self._connections.discard(conn)
            conn.held = None

    def _close(self, conn: Connection) -> None:
        # A connection that was closed to make room may still have an event in the same batch.
        if conn.sock.fileno() < 0:
            return
        self.release(conn)
        self.nr_conns -= 1
        conn.close()

    def _sweep(self, now: float) -> None:
        """Close the overdue connections, and the largest ones while all together buffer too much."""
        for conn in [conn for conn in self._connections if conn.deadline <= now]:
            if conn.held in PATIENCE:
                self._refuse(conn, 408)
            else:
                self._close(conn)
        waiting = [*self._connections, *self._changing.queue]
        held = sum(conn.size for conn in waiting)
        while held > HELD:
            waiting.remove(largest := max(waiting, key=lambda conn: conn.size))
            held -= largest.size
            if largest in self._changing.queue:
                self._changing.queue.remove(largest)
            self._close(largest)
