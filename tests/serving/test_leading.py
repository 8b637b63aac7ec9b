"""Quick reads are answered in the event loop, and a slow one does not block others there."""

import io
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from selectors import DefaultSelector
from threading import Event, Semaphore, Thread, current_thread
from typing import Any

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from nexus.serving.leading import SAMPLE, Pace
from nexus.serving.worker import Worker
from nexus.wsgi_keys import AFTERWARDS

#: Seconds to wait for anything expected to happen.
TIMEOUT = 20.0


class Shop:
    """An application that responds with the name of its thread; one of its pages blocks until released."""

    def __init__(self) -> None:
        self.arrived, self.released = Event(), Event()
        #: What the next requests leave to be done after their responses, one each.
        self.left: list[Callable[[], object]] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        if environ["PATH_INFO"] == "/slow":
            self.arrived.set()
            assert self.released.wait(TIMEOUT)
        if environ["PATH_INFO"] == "/far":
            time.sleep(0.002)
        if environ["PATH_INFO"] == "/broken":
            raise SystemExit
        if self.left:
            environ[AFTERWARDS](lambda left: left[0](), self.left.pop(0))
        body = current_thread().name.encode()
        start("200 OK", [("Content-Length", str(len(body)))])
        return [body]


@contextmanager
def serving(shop: Shop) -> Iterator[tuple[str, int]]:
    """Run a worker with four threads, and yield its address."""
    with running(shop) as worker:
        yield worker.sockets[0].getsockname()


@contextmanager
def running(shop: Shop) -> Iterator[Worker]:
    """Run a worker with four threads, and yield it."""
    config = Config()
    config.set("forwarded_allow_ips", "")
    config.set("threads", 4)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker = Worker(1, os.getppid(), [listener], None, 30, config, Logger(config))
        worker.wsgi = shop
        worker.tpool = worker.get_thread_pool()
        worker.method_queue.init()
        with DefaultSelector() as worker.poller:
            runs = Thread(target=worker.run)
            runs.start()
            try:
                yield worker
            finally:
                shop.released.set()
                worker.handle_exit(0, None)
                runs.join(TIMEOUT)
        assert not runs.is_alive()
        worker.tmp.close()


class Client(HTTPConnection):
    """One connection to the worker."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(*address, timeout=TIMEOUT)

    def __enter__(self) -> "Client":
        """Return this connection, to be closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()

    def ask(self, path: str, method: str = "GET") -> str:
        """Send a request; return the name of the thread that answered it."""
        self.request(method, path)
        return self.getresponse().read().decode()


def ask(address: tuple[str, int], path: str, method: str = "GET") -> str:
    with Client(address) as client:
        return client.ask(path, method)


def test_reads_are_answered_in_the_event_loop_and_writes_in_threads() -> None:
    with serving(Shop()) as address:
        assert ask(address, "/").startswith("loop")
        assert ask(address, "/", "POST").startswith("requests")


def test_a_slow_read_blocks_no_other_request() -> None:
    shop = Shop()
    with serving(shop) as address:
        slow = [Thread(target=ask, args=(address, "/slow")) for _ in range(4)]
        for turn in range(3):
            shop.arrived.clear()
            slow[turn].start()
            assert shop.arrived.wait(TIMEOUT)
            # While one thread of the loop is blocked, the other passes requests to the threads.
            assert ask(address, "/").startswith("requests")
        shop.released.set()
        for thread in slow[:3]:
            thread.join(TIMEOUT)
        # The blocked thread is free shortly after its response.
        deadline = time.monotonic() + TIMEOUT
        while not ask(address, "/").startswith("loop"):
            assert time.monotonic() < deadline


def test_the_response_of_a_replaced_loop_thread_arrives() -> None:
    shop = Shop()
    with serving(shop) as address, Client(address) as client:
        client.request("GET", "/slow")
        assert shop.arrived.wait(TIMEOUT)
        ask(address, "/")
        shop.released.set()
        assert client.getresponse().read().startswith(b"loop")

        # The connection can still be used.
        assert client.ask("/")


def test_reads_that_mostly_wait_are_left_to_the_threads() -> None:
    with serving(Shop()) as address, Client(address) as client:
        by = [client.ask("/far").partition("-")[0] for _ in range(3 * SAMPLE)]

    assert by.count("requests") > SAMPLE
    assert by.count("loop") >= SAMPLE / 2


def test_a_system_exit_of_the_application_ends_only_its_connection() -> None:
    with serving(Shop()) as address, Client(address) as client:
        client.request("GET", "/broken")
        with pytest.raises(OSError, match="closed connection"):
            client.getresponse()

        assert ask(address, "/")


def test_pipelined_requests_do_not_block_other_clients() -> None:
    with serving(Shop()) as address, socket.create_connection(address) as greedy:
        greedy.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        assert ask(address, "/")

        received = io.BytesIO()
        while received.getvalue().count(b"HTTP/1.1 200") < 1000:
            received.write(greedy.recv(65536))


@pytest.mark.parametrize(
    ("slow", "seconds", "suits"),
    [(0, 0.0, True), (1, 0.5, True), (SAMPLE // 2, 0.005, True), (SAMPLE // 2 + 1, 0.0041, False)],
)
def test_reads_suit_the_loop_unless_most_of_them_mostly_wait(slow: int, seconds: float, suits: bool) -> None:  # noqa: FBT001
    pace = Pace()
    for number in range(SAMPLE):
        assert pace.suits()
        pace.note(seconds if number < slow else 0.0012, computed=0.001)

    assert pace.suits() == suits


def test_a_finished_request_leaves_nothing_in_memory() -> None:
    with running(Shop()) as worker, Client(worker.sockets[0].getsockname()) as client:
        client.request("POST", "/", b"x" * 100_000)
        assert client.getresponse().read()
        client.ask("/")

        deadline = time.monotonic() + TIMEOUT
        kept: list[Any] = []
        # The loop cleans up after the client has got its response.
        while kept != [(0, None, b"")] and time.monotonic() < deadline:
            kept = [(conn.size, conn.environ, conn.following) for conn in list(worker._connections)]
        assert kept == [(0, None, b"")]


def test_an_open_connection_is_served_while_another_blocks_the_loop() -> None:
    shop = Shop()
    with serving(shop) as address, Client(address) as slow, Client(address) as other:
        # Threads answer both; their callbacks may reach the loop together or one by one.
        slow.ask("/", "POST")
        other.ask("/", "POST")
        slow.request("GET", "/slow")
        assert shop.arrived.wait(TIMEOUT)

        assert other.ask("/")
        shop.released.set()
        assert slow.getresponse().read()


def test_what_a_request_leaves_is_done_after_its_response() -> None:
    shop, received, done = Shop(), Event(), Event()
    shop.left = [lambda: done.set() if received.wait(TIMEOUT) else None]
    with serving(shop) as address, Client(address) as client:
        client.ask("/")
        received.set()

        assert done.wait(TIMEOUT)


def test_a_failure_after_a_response_affects_no_other_request() -> None:
    shop, done = Shop(), Event()
    shop.left = [lambda: 1 / 0, done.set]
    with serving(shop) as address, Client(address) as client:
        client.ask("/")
        client.ask("/")

        assert done.wait(TIMEOUT)


def test_what_a_request_leaves_is_done_while_another_blocks_the_loop() -> None:
    shop, done = Shop(), Event()
    with serving(shop) as address, Client(address) as slow:
        slow.request("GET", "/slow")
        assert shop.arrived.wait(TIMEOUT)
        shop.left = [done.set]
        ask(address, "/")

        assert done.wait(TIMEOUT)


def test_requests_that_were_read_together_with_a_blocking_one_are_answered() -> None:
    shop = Shop()
    with serving(shop) as address, Client(address) as far, Client(address) as slow, Client(address) as other:
        for client in (far, slow, other):
            client.ask("/")
        for _ in range(10):
            # While the loop answers the first of them, the others arrive.
            far.request("GET", "/far")
            slow.request("GET", "/slow")
            other.request("GET", "/")
            assert other.getresponse().read()
            assert far.getresponse().read()
            assert shop.arrived.wait(TIMEOUT)
            shop.released.set()
            assert slow.getresponse().read()
            shop.arrived.clear()
            shop.released.clear()


def test_a_log_that_nobody_reads_blocks_no_client() -> None:
    shop, read, written = Shop(), Event(), Semaphore(0)
    count = 8
    with serving(shop) as address, Client(address) as client:
        shop.left = [lambda: read.wait(TIMEOUT), *[written.release] * count]
        client.ask("/")
        # The loop is taken over, and what follows is put off.
        by = [client.ask("/").partition("-")[0] for _ in range(count)]
        was_put_off = not written.acquire(blocking=False)
        read.set()

        assert was_put_off
        assert by == ["requests"] * count
        assert all(written.acquire(timeout=TIMEOUT) for _ in range(count))


def test_a_slow_log_does_not_disturb_a_stop() -> None:
    shop, done = Shop(), Event()

    def write() -> None:
        time.sleep(0.1)
        done.set()

    with serving(shop) as address, Client(address) as client:
        client.request("POST", "/slow")
        assert shop.arrived.wait(TIMEOUT)
        shop.left = [write]

    assert done.is_set()


def test_only_so_much_is_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexus.serving.answering.MOST_LEFT", 0)
    shop, done = Shop(), Event()
    with serving(shop) as address, Client(address) as client:
        shop.left = [done.set]
        client.ask("/")

        assert done.is_set()
