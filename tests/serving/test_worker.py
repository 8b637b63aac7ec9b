"""What the worker leans on in gunicorn, which another version may have changed, and how it counts clients."""

import errno
import hashlib
import inspect
import math
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from selectors import EVENT_READ, DefaultSelector
from threading import Event
from typing import Any

import gunicorn  # type: ignore[import-untyped]
import pytest
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]
from gunicorn.config import Config  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from gunicorn.http.body import ChunkedReader  # type: ignore[import-untyped]
from gunicorn.http.message import Message  # type: ignore[import-untyped]
from gunicorn.http.parser import Parser  # type: ignore[import-untyped]
from gunicorn.http.unreader import Unreader  # type: ignore[import-untyped]
from gunicorn.http.wsgi import Response, base_environ, create  # type: ignore[import-untyped]
from gunicorn.workers.gthread import (  # type: ignore[import-untyped]
    PollableMethodQueue,
    TConn,
    ThreadWorker,
)

from nexus.serving.worker import Worker

#: The parts that it calls, overrides or is called by, and the beginning of a hash of each one's source.
LEANED_ON: dict[Any, str] = {
    TConn.__init__: "c8763d7c",
    TConn.init: "5ff3d4ba",
    TConn.close: "6d1c334e",
    PollableMethodQueue: "5b4a78bd",
    ThreadWorker.__init__: "5681b8b5",
    ThreadWorker.init_process: "e4fc63a1",
    ThreadWorker.handle_exit: "b4e7decd",
    ThreadWorker.set_accept_enabled: "140150eb",
    ThreadWorker.wait_for_and_dispatch_events: "ea969b35",
    ThreadWorker.run: "f92c7394",
    ThreadWorker.handle: "ca85c9be",
    ThreadWorker.handle_request: "6d0de5b9",
    ThreadWorker._keepalive_after: "4ebdbbc8",
    ThreadWorker.finish_request: "616e7bb1",
    Message.__init__: "14b64a40",
    Message.set_body_reader: "e3ba33f5",
    Parser.finish_body: "54c5d0d2",
    Parser.__next__: "b8536520",
    Unreader: "84aaa8f9",
    ChunkedReader.parse_chunk_size: "997c6693",
    base_environ: "94249457",
    create: "2c35d4a2",
    Response: "d67f8e6b",
    Arbiter.reload: "fec344d2",
}
ADVICE = "read the change, see that nexus/serving/worker.py still fits, and write down the new hash"


@pytest.mark.parametrize("part", LEANED_ON, ids=lambda part: part.__qualname__)
def test_gunicorn_is_as_the_worker_knows_it(part: Any) -> None:
    found = hashlib.sha256(inspect.getsource(part).encode()).hexdigest()[:8]
    assert found == LEANED_ON[part], f"gunicorn {gunicorn.__version__}: {ADVICE}"


@contextmanager
def worker(listener: socket.socket, *, connections: int = 100, age: int = 1) -> Iterator[Worker]:
    """One of so many connections at most, whose loop a test turns."""
    config = Config()
    config.set("worker_connections", connections)
    ours = Worker(age, os.getppid(), [listener], None, 30, config, Logger(config))
    ours.tpool = ours.get_thread_pool()
    with DefaultSelector() as ours.poller:
        ours.set_accept_enabled(True)
        yield ours
    ours.leave()
    for conn in ours._connections:
        conn.close()
    ours.tmp.close()


def test_a_client_that_has_to_go_is_counted_once_though_it_speaks_at_that_moment() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        worker(listener, connections=1) as ours,
        socket.create_connection(listener.getsockname()) as first,
    ):
        ours.wait_for_and_dispatch_events(timeout=10)
        with socket.create_connection(listener.getsockname()):
            first.sendall(b"G")
            ours.wait_for_and_dispatch_events(timeout=10)

            assert ours.nr_conns == len(ours._connections) == 1


def turn(ours: Worker) -> None:
    """Let a loop go round once, with what there is at that moment."""
    ours._balance()
    ours.wait_for_and_dispatch_events(timeout=0)


def test_clients_are_shared_out_although_one_process_is_always_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexus.serving.worker.YIELD", math.inf)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        worker(listener, age=1) as first,
        worker(listener, age=2) as second,
        ExitStack() as clients,
    ):
        second.tell()
        for _ in range(8):
            clients.enter_context(socket.create_connection(listener.getsockname()))
            for ours in (first, first, second):
                turn(ours)
        assert (first.nr_conns, second.nr_conns) == (4, 4)

        # One that has ended is no reason to wait.
        second.leave()
        clients.enter_context(socket.create_connection(listener.getsockname()))
        turn(first)
        assert first.nr_conns == 5


def test_clients_that_the_others_leave_are_taken_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexus.serving.worker.YIELD", 0)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        worker(listener, age=1) as ours,
        worker(listener, age=2) as hanging,
        ExitStack() as clients,
    ):
        hanging.tell()
        for _ in range(5):
            clients.enter_context(socket.create_connection(listener.getsockname()))
        for _ in range(3):
            turn(ours)

        assert ours.nr_conns == 5


def test_what_is_wrong_with_a_client_at_the_door_is_not_wrong_with_the_process() -> None:
    class Door:
        """Where `accept` fails as Linux says that it may."""

        def __init__(self, why: int) -> None:
            self._why = why

        def accept(self) -> Any:
            raise OSError(self._why, os.strerror(self._why))

    with socket.create_server(("127.0.0.1", 0)) as listener, worker(listener) as ours:
        for why in (errno.EPROTO, errno.ENETDOWN, errno.EHOSTUNREACH, errno.ENOBUFS, errno.EAGAIN):
            assert not ours._accept(Door(why))
        with pytest.raises(OSError, match="Bad file descriptor"):
            ours._accept(Door(errno.EBADF))


def test_requests_that_wait_for_their_turn_hold_no_more_than_all_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexus.serving.worker.HELD", 1000)
    asked = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 600\r\n\r\n" + b" " * 600
    turn_of_others = Event()

    def answer(_: Any, start_response: Any) -> list[bytes]:
        turn_of_others.wait()
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        worker(listener) as ours,
        ExitStack() as clients,
    ):
        ours.wsgi = answer
        ours.method_queue.init()
        clients.callback(ours.method_queue.close)
        ours.poller.register(ours.method_queue.fileno(), EVENT_READ, ours.method_queue.run_callbacks)
        crowd = []
        for _ in range(3):
            crowd.append(clients.enter_context(socket.create_connection(listener.getsockname(), 20)))
            crowd[-1].sendall(asked)
            while len(ours._changing.queue) < len(crowd) - 1 or ours._changing._free:
                turn(ours)
        ours._sweep(0.0)
        turn_of_others.set()
        while ours.nr_conns > len(ours._connections):
            ours.wait_for_and_dispatch_events(timeout=1)

        first, last, gone = (client.recv(1000) for client in (crowd[0], crowd[2], crowd[1]))
    assert first.endswith(b"ok")
    assert last.endswith(b"ok")
    assert gone == b""
