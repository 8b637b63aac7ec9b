"""Quick reads are answered in the loop, and nobody waits there for a slow one."""

import io
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from selectors import DefaultSelector
from threading import Event, Thread, current_thread
from typing import Any

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from nexus.serving.leading import SAMPLE, Pace
from nexus.serving.worker import Worker

#: Seconds in which whatever is to happen has happened.
PATIENCE = 20.0


class Shop:
    """An application that tells by which thread it was called; one of its pages waits to be let go."""

    def __init__(self) -> None:
        self.arrived, self.goes = Event(), Event()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        if environ["PATH_INFO"] == "/slow":
            self.arrived.set()
            assert self.goes.wait(PATIENCE)
        if environ["PATH_INFO"] == "/far":
            time.sleep(0.002)
        if environ["PATH_INFO"] == "/broken":
            raise SystemExit
        body = current_thread().name.encode()
        start("200 OK", [("Content-Length", str(len(body)))])
        return [body]


@contextmanager
def serving(shop: Shop) -> Iterator[tuple[str, int]]:
    """The address of a worker of four threads that runs until the end."""
    with running(shop) as worker:
        yield worker.sockets[0].getsockname()


@contextmanager
def running(shop: Shop) -> Iterator[Worker]:
    """The worker itself."""
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
                shop.goes.set()
                worker.handle_exit(0, None)
                runs.join(PATIENCE)
        assert not runs.is_alive()
        worker.tmp.close()


class Client(HTTPConnection):
    """One connection to the worker."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(*address, timeout=PATIENCE)

    def __enter__(self) -> "Client":
        """Be closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def ask(self, path: str, method: str = "GET") -> str:
        """The name of the thread that answered."""
        self.request(method, path)
        return self.getresponse().read().decode()


def ask(address: tuple[str, int], path: str, method: str = "GET") -> str:
    with Client(address) as client:
        return client.ask(path, method)


def test_a_read_is_answered_in_the_loop_and_a_change_is_not() -> None:
    with serving(Shop()) as address:
        assert ask(address, "/").startswith("loop")
        assert ask(address, "/", "POST").startswith("requests")


def test_a_read_that_takes_long_holds_up_nobody() -> None:
    shop = Shop()
    with serving(shop) as address:
        slow = [Thread(target=ask, args=(address, "/slow")) for _ in range(4)]
        for turn in range(3):
            shop.arrived.clear()
            slow[turn].start()
            assert shop.arrived.wait(PATIENCE)
            # While one thread of the loop is held up, the other hands on whatever comes.
            assert ask(address, "/").startswith("requests")
        shop.goes.set()
        for thread in slow[:3]:
            thread.join(PATIENCE)
        # The thread that was held up is free a moment after its answer.
        deadline = time.monotonic() + PATIENCE
        while not ask(address, "/").startswith("loop"):
            assert time.monotonic() < deadline


def test_an_answer_that_the_loop_was_taken_from_arrives() -> None:
    shop = Shop()
    with serving(shop) as address, Client(address) as client:
        client.request("GET", "/slow")
        assert shop.arrived.wait(PATIENCE)
        ask(address, "/")
        shop.goes.set()
        assert client.getresponse().read().startswith(b"loop")

        # Its client may go on.
        assert client.ask("/")


def test_what_mostly_waits_is_left_to_the_threads() -> None:
    with serving(Shop()) as address, Client(address) as client:
        by = [client.ask("/far").partition("-")[0] for _ in range(3 * SAMPLE)]

    assert by.count("requests") > SAMPLE
    assert by.count("loop") >= SAMPLE / 2


def test_an_application_that_would_end_the_process_ends_one_connection() -> None:
    with serving(Shop()) as address, Client(address) as client:
        client.request("GET", "/broken")
        with pytest.raises(OSError, match="closed connection"):
            client.getresponse()

        assert ask(address, "/")


def test_requests_that_come_together_do_not_keep_others_waiting() -> None:
    with serving(Shop()) as address, socket.create_connection(address) as greedy:
        greedy.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        assert ask(address, "/")

        said = io.BytesIO()
        while said.getvalue().count(b"HTTP/1.1 200") < 1000:
            said.write(greedy.recv(65536))


@pytest.mark.parametrize(("seconds", "suits"), [(0.0012, True), (0.0050, False)])
def test_reads_are_quick_when_they_mostly_compute(seconds: float, suits: bool) -> None:  # noqa: FBT001
    pace = Pace()
    for _ in range(SAMPLE):
        assert pace.suits()
        pace.note(seconds, computed=0.001)

    assert pace.suits() == suits


def test_nothing_is_kept_of_a_request_that_was_answered() -> None:
    with running(Shop()) as worker, Client(worker.sockets[0].getsockname()) as client:
        client.request("POST", "/", b"x" * 100_000)
        assert client.getresponse().read()
        client.ask("/")

        deadline = time.monotonic() + PATIENCE
        kept: list[Any] = []
        # The loop comes to it when the client has its answer already.
        while kept != [(0, None, b"")] and time.monotonic() < deadline:
            kept = [(conn.size, conn.environ, conn.following) for conn in list(worker._connections)]
        assert kept == [(0, None, b"")]


def test_who_was_answered_already_does_not_wait_for_one_that_holds_up_the_loop() -> None:
    shop = Shop()
    with serving(shop) as address, Client(address) as slow, Client(address) as other:
        # Both are answered by threads, whose callbacks come to the loop together or not.
        slow.ask("/", "POST")
        other.ask("/", "POST")
        slow.request("GET", "/slow")
        assert shop.arrived.wait(PATIENCE)

        assert other.ask("/")
        shop.goes.set()
        assert slow.getresponse().read()
