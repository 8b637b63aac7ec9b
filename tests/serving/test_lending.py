"""A client stays in the poller while a thread answers it, and the thread returns it to the loop."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from select import select
from threading import Event
from typing import Any

import pytest

from nexus.serving.peer import IDLE
from nexus.serving.worker import Worker
from tests.serving.workers import connected, run_loop_once

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


class Waiting:
    """An application that answers when it is released."""

    def __init__(self) -> None:
        self.begun, self.released = Event(), Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """Answer with the method."""
        self.begun.set()
        self.released.wait()
        body = environ["REQUEST_METHOD"].encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]


@contextmanager
def answering(request: bytes = POST) -> Iterator[tuple[Worker, socket.socket, Waiting]]:
    """Yield a worker of which a thread answers a client's request, the client, and the application."""
    answer = Waiting()
    with connected(answer) as (ours, client):
        run_loop_once(ours)
        client.sendall(request)
        run_loop_once(ours)
        answer.begun.wait()
        yield ours, client, answer


def test_a_thread_returns_its_client_without_the_loop() -> None:
    answer = Waiting()
    answer.released.set()
    with connected(answer) as (ours, client):
        run_loop_once(ours)
        [conn] = ours._connections
        for _ in range(3):
            client.sendall(POST)
            run_loop_once(ours)
            assert client.recv(1000).endswith(b"POST")
            while conn.held != IDLE:
                time.sleep(0.001)
            assert not ours._given


@pytest.mark.parametrize("at_once", [True, False])
def test_a_second_request_that_is_sent_before_the_response_is_answered_after_it(*, at_once: bool) -> None:
    with answering(POST + GET if at_once else POST) as (ours, client, answer):
        if not at_once:
            client.sendall(GET)
            run_loop_once(ours)
        # Otherwise the loop would be busy until the thread is done.
        assert ours.poller.select(0) == []

        answer.released.set()
        client.settimeout(0)
        received = b""
        while ours._given or not received.endswith(b"GET"):
            ours._turn()
            with suppress(BlockingIOError):
                received += client.recv(1000)
    assert received.index(b"\r\n\r\nPOST") < received.index(b"\r\n\r\nGET")


@pytest.mark.parametrize("alive", [True, False])
def test_an_event_that_is_older_than_a_response_does_not_repeat_the_request(*, alive: bool) -> None:
    calls = []
    begun, released = Event(), Event()
    # More than the client accepts at once, unless it is to be closed.
    body = b"x" * (8_000_000 if alive else 1)

    def answer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        calls.append(environ["PATH_INFO"])
        begun.set()
        released.wait()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    with connected(answer) as (ours, client):
        run_loop_once(ours)
        ours.alive = alive
        # In two pieces, which the connection keeps until the request is finished.
        client.sendall(POST[:20])
        run_loop_once(ours)
        client.sendall(POST[20:])
        run_loop_once(ours)
        begun.wait()
        # Now the poller has nothing to report, and will report first what happens first.
        run_loop_once(ours)
        run_loop_once(ours)
        released.set()
        select([ours.method_queue], [], [])
        if alive:
            client.sendall(POST.replace(b"/ ", b"/second "))
        else:
            client.shutdown(socket.SHUT_WR)
        wanted = 2 if alive else 1
        client.settimeout(0)
        received = 0
        while ours._given or received < wanted * len(body):
            ours._turn()
            with suppress(BlockingIOError):
                while piece := client.recv(1 << 20):
                    received += len(piece)
        ours._turn()
        assert calls == ["/", "/second"][:wanted]
        assert ours.nr_conns == len(ours._connections)


def test_a_client_that_leaves_while_a_thread_answers_it_is_closed() -> None:
    with answering() as (ours, client, answer):
        client.close()
        answer.released.set()
        while ours.nr_conns:
            ours._turn()
        assert ours._given == set()


def test_a_stopping_worker_does_not_wait_for_a_client_whose_answer_a_thread_has_just_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nexus.serving.accepting.IDLE_STOPPED", 0.0)
    with answering() as (ours, client, answer):
        ours._keepalive = 3600.0
        ours.alive = False
        ours.stop_accepting()
        answer.released.set()
        while ours.nr_conns:
            ours._turn()
        assert client.recv(1000).endswith(b"POST")
