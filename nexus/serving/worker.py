"""gunicorn's threaded worker, in which no thread waits for a client.

Its event loop reads each request without blocking, hands it to a thread when it is complete, and sends what
the client did not accept at once. Slow clients therefore cost only memory, which is limited.
"""

import selectors
import socket
import time
from collections import deque
from functools import partial
from operator import itemgetter
from typing import Any

from nexus.serving.accepting import Accepting
from nexus.serving.peer import (
    ANSWERED,
    IDLE,
    IN_BODY,
    IN_HEAD,
    LINGERING,
    RECEIVED,
    SENDING,
    Connection,
    Lane,
)

#: Seconds in which a response must be read, and bytes that extend them by one.
ANSWER = 30.0
SLOWEST = 16_384
#: Seconds in which a client may read the end of a response, and send what is no longer wanted.
LINGER = 5.0
#: Seconds within which the loop looks for what threads have left to be done.
SOON = 0.02
#: Bytes that all connections of a worker may buffer together, in both directions.
HELD = 67_108_864
#: Seconds in which a head must arrive, also on a new connection, and then its body.
PATIENCE = {IN_HEAD: 10.0, IN_BODY: 30.0}


class Worker(Accepting):
    """Waits for clients in its event loop, and handles requests in its threads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Called in the master, before the worker's process is forked."""
        super().__init__(*args, **kwargs)
        # One thread is reserved for reads, which never wait for the locks of other requests.
        self._changing = Lane(max(1, self.cfg.threads - 1))
        # Bound here, since gunicorn looks a setting up by calling a function.
        self._keepalive = float(self.cfg.keepalive)
        #: Clients whose requests threads answer.
        self._given: set[Connection] = set()
        #: Clients whose requests suit the loop and have arrived completely.
        self._read_completely: deque[Connection] = deque()
        self._sweep_at = 0.0

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
            self.balance()
            if not self._turn():
                break
        self.alive = False
        self.stop_accepting()
        patience = time.monotonic() + self.cfg.graceful_timeout
        while self.nr_conns and time.monotonic() < patience:
            self._turn()
        self.catch_up()
        for conn in [*self.waiting()]:
            self.close(conn)

    def _turn(self) -> bool:
        """Do one thing after another, for all clients; False, once a second, if the master has died.

        Each thing's code then stays in the processor's caches. What the turn before has left comes first: it
        may have been another thread's.
        """
        self.catch_up()
        self._answer_read()
        now = time.monotonic()
        if now >= self._sweep_at:
            self._sweep_at = now + 1.0
            self.notify()
            self._sweep(now)
            if not self.is_parent_alive():
                return False
        self.catch_up()
        # Threads do not wake the loop for what they leave, since that would cost more than doing it.
        longest = SOON if self._given or self.left else 1.0
        self.wait_for_and_dispatch_events(timeout=min(longest, self.longest_wait))
        return True

    def expect(self, conn: Connection) -> None:
        """Wait for the first request of a client."""
        self._await_request(conn, PATIENCE[IN_HEAD])

    def _await_request(self, conn: Connection, patience: float) -> None:
        """Wait for the next request, unless it has already been read."""
        if conn.arrival.data and self._use(conn):
            return
        if not self.alive:
            patience = min(patience, self.idle_when_stopping())
        stage = conn.stage()
        self._hold(conn, stage, PATIENCE.get(stage, patience))

    def _read(self, conn: Connection, _: Any) -> None:
        """Read what has arrived on a connection.

        The event may be older than its response: a batch of events can contain both, in either order.
        """
        if conn.held in ANSWERED:
            return
        if conn.held is not None:
            if not self._use(conn) and (stage := conn.stage()) != conn.held:
                conn.hold(stage, PATIENCE[stage])
        elif conn.take_back():
            # A thread has it, and its client sends more, or has disconnected. If it cannot be taken back, the
            # thread is just returning it.
            self._unregister(conn)

    def _use(self, conn: Connection) -> bool:
        """Read once, and handle a request if it is complete; False if there is nothing to do yet."""
        arrival = conn.arrival
        try:
            conn.receive()
            if arrival.expects and not arrival.complete:
                arrival.expects = False
                conn.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        except OSError:
            self.close(conn)
            return True
        if conn.environ is None:
            if arrival.refused:
                self._refuse(conn, arrival.refused)
                return True
            if not arrival.complete:
                return False
            conn.begin()
        # A thread's client that has sent its next request already is not in the poller.
        if conn.held is not None and self.suits(conn):
            # It is not waiting any more, so it must not be closed as overdue or to make room.
            self._connections.discard(conn)
            self._read_completely.append(conn)
        else:
            self._hand_over(conn)
        return True

    def _answer_read(self) -> None:
        """Answer the reads that the turn before has read; TakenOver if one blocks the loop."""
        while self._read_completely:
            conn = self._read_completely.popleft()
            self._connections.add(conn)
            if self.suits(conn):
                self.answer_here(conn)
            else:
                self._hand_over(conn)

    def _hand_over(self, conn: Connection) -> None:
        """Let a thread answer a request, now or when others that change something are done."""
        if conn.environ and conn.held is not None:
            conn.lend()
        else:
            self.release(conn)
        self._given.add(conn)
        if not conn.changes or self._changing.admits(conn):
            self.give(conn)

    def give_back(self, conn: Connection) -> bool:
        """Give a connection that has had its response back, in a thread; False if the loop must decide."""
        if not conn.goes_on or conn.following or conn.sock.unsent or not conn.take_back():
            return False
        self._make_way(conn)
        conn.expect_another()
        conn.hold(IDLE, self._keepalive)
        if not self.alive:
            # The loop may have looked for idle connections already.
            self.method_queue.defer(self.keep_idle_shortly)
        return True

    def _make_way(self, conn: Connection) -> None:
        """Give up a connection's thread, and its place among those that change something."""
        self._given.discard(conn)
        if conn.changes and (following := self._changing.next()):
            self.give(following)

    def finish_request(self, conn: Connection) -> None:
        """Finish a request, in the loop, that a thread has answered."""
        self._make_way(conn)
        self.release(conn)
        self.finish(conn)

    def finish(self, conn: Connection) -> None:
        """Send, in the loop, what the client did not accept yet, then keep or close the connection."""
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
            self.close(conn)
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
            self.close(conn)
        else:
            self._hold(conn, LINGERING, LINGER)

    def _ignore(self, conn: Connection, _: Any) -> None:
        """Discard what the client sends, until it closes the connection."""
        try:
            if not conn.sock.recv(RECEIVED):
                self.close(conn)
        except BlockingIOError:
            pass
        except OSError:
            self.close(conn)

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
        if conn.held is not None or conn.take_back():
            self._unregister(conn)

    def _unregister(self, conn: Connection) -> None:
        self.poller.unregister(conn.sock)
        self._connections.discard(conn)
        conn.held = None

    def close(self, conn: Connection) -> None:
        """Close a connection, if it is not closed already."""
        # A connection that was closed to make room may still have an event in the same batch.
        if conn.sock.fileno() < 0:
            return
        self.release(conn)
        self._given.discard(conn)
        self.nr_conns -= 1
        conn.close()

    def _sweep(self, now: float) -> None:
        """Close the overdue connections, and the largest ones while all together buffer too much."""
        for conn in [conn for conn in self.waiting() if conn.deadline <= now]:
            if conn.held in PATIENCE:
                self._refuse(conn, 408)
            else:
                self.close(conn)
        sizes = [(conn.size, conn) for conn in (*self.waiting(), *self._changing.queued())]
        held = sum(size for size, _ in sizes)
        for size, conn in sorted(sizes, key=itemgetter(0), reverse=True):
            if held <= HELD:
                break
            held -= size
            if conn.held is not None or self._changing.withdraw(conn):
                self.close(conn)
