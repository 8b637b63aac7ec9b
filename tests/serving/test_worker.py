"""How the worker accepts and counts clients, and reads and answers their requests."""

import errno
import math
import os
import socket
from contextlib import ExitStack
from threading import Event
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nexus.wsgi_keys import AFTERWARDS
from tests.serving.workers import connected, queue_of, run_loop_once, worker


def test_a_client_being_closed_is_counted_once_even_if_it_sends_data() -> None:
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


def test_clients_are_balanced_even_if_one_process_is_always_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexus.serving.accepting.YIELD", math.inf)
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
                run_loop_once(ours)
        assert (first.nr_conns, second.nr_conns) == (4, 4)

        # A worker that has ended is not waited for.
        second.leave()
        clients.enter_context(socket.create_connection(listener.getsockname()))
        run_loop_once(first)
        assert first.nr_conns == 5


def test_clients_that_other_workers_do_not_accept_are_accepted_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nexus.serving.accepting.YIELD", 0)
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
            run_loop_once(ours)

        assert ours.nr_conns == 5


def test_network_errors_of_accept_do_not_end_the_process() -> None:
    class Listener:
        """A listener whose `accept` fails with one of the errors that Linux documents."""

        def __init__(self, number: int) -> None:
            self._errno = number

        def accept(self) -> Any:
            raise OSError(self._errno, os.strerror(self._errno))

    with socket.create_server(("127.0.0.1", 0)) as listener, worker(listener) as ours:
        for number in (errno.EPROTO, errno.ENETDOWN, errno.EHOSTUNREACH, errno.ENOBUFS, errno.EAGAIN):
            assert not ours._accept(Listener(number))
        with pytest.raises(OSError, match="Bad file descriptor"):
            ours._accept(Listener(errno.EBADF))


def test_queued_requests_hold_no_more_memory_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexus.serving.worker.HELD", 1000)
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 600\r\n\r\n" + b" " * 600
    released = Event()

    def answer(_: Any, start_response: Any) -> list[bytes]:
        released.wait()
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        worker(listener) as ours,
        ExitStack() as clients,
    ):
        ours.wsgi = answer
        clients.enter_context(queue_of(ours))
        crowd = []
        for _ in range(3):
            crowd.append(clients.enter_context(socket.create_connection(listener.getsockname(), 20)))
            crowd[-1].sendall(request)
            while len(ours._changing.queued()) < len(crowd) - 1 or ours._changing._free:
                run_loop_once(ours)
        ours._sweep(0.0)
        released.set()
        while ours._given:
            ours._turn()

        first, last, gone = (client.recv(1000) for client in (crowd[0], crowd[2], crowd[1]))
    assert first.endswith(b"ok")
    assert last.endswith(b"ok")
    assert gone == b""


#: Requests as a client sends them, each with its method and its body as the application gets them. Two are
#: parsed by gunicorn; one has a body like the end of a head, and one a body like another request.
REQUESTS = {
    b"PATCH / HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n": b"PATCH GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n": b"GET ",
    b"HEAD / HTTP/1.1\r\nHost: x\r\nX-Other: 1\r\n\r\n": b"HEAD ",
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi": b"GET hi",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n\r\n\r\n": b"POST \r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n": b"POST ",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n": b"POST ok",
    b"PUT //odd HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n!": b"PUT !",
}


@given(
    st.lists(st.sampled_from([*REQUESTS]), min_size=1, max_size=5),
    # Numbers of bytes; 0 is up to the next end of a head.
    st.lists(st.sampled_from([0, 1, 2, 5, 30, 90]), max_size=8),
)
@example([*REQUESTS], [0] * 20)
def test_requests_reach_the_application_whole_however_their_bytes_arrive(
    requests: list[bytes], sizes: list[int]
) -> None:
    found: list[bytes] = []

    def answer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        found.append(environ["REQUEST_METHOD"].encode() + b" " + environ["wsgi.input"].read())
        start_response("200 OK", [("Content-Length", "0")])
        return []

    with connected(answer) as (ours, client):
        run_loop_once(ours)
        sent = b"".join(requests)
        for given_size in [*sizes, len(sent)]:
            size = given_size or sent.find(b"\r\n\r\n") + 4
            client.sendall(sent[:size])
            sent = sent[size:]
            run_loop_once(ours)
        client.shutdown(socket.SHUT_WR)
        while ours.nr_conns:
            ours._turn()

    assert found == [REQUESTS[request] for request in requests]


def test_what_the_last_request_leaves_is_done_before_the_end() -> None:
    done = Event()

    def answer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ[AFTERWARDS](lambda _: done.set(), None)
        start_response("200 OK", [("Content-Length", "0")])
        return []

    with connected(answer) as (ours, client):
        ours.wait_for_and_dispatch_events(timeout=10)
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        ours.wait_for_and_dispatch_events(timeout=10)
        ours._answer_read()
        assert client.recv(1024).startswith(b"HTTP/1.1 200")
        client.shutdown(socket.SHUT_WR)
        ours.wait_for_and_dispatch_events(timeout=10)

        ours.alive = False
        ours.loop()

    assert done.is_set()


def test_a_request_that_has_arrived_is_answered_before_its_connection_can_be_closed() -> None:
    def answer(_: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "0")])
        return []

    with connected(answer, connections=1) as (ours, client):
        ours.wait_for_and_dispatch_events(timeout=10)
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        ours.wait_for_and_dispatch_events(timeout=10)

        # It is neither overdue nor closed to make room for another client.
        ours._sweep(math.inf)
        with socket.create_connection(ours.sockets[0].getsockname()):
            ours.wait_for_and_dispatch_events(timeout=10)
            ours._answer_read()

        assert client.recv(1024).startswith(b"HTTP/1.1 200")


def test_what_requests_leave_is_done_for_eight_of_them_at_a_time_in_their_order() -> None:
    usual: list[list[int]] = []
    rare: list[list[int]] = []
    # Bound once, since what is done together is recognised by its identity.
    note, note_rare = usual.append, rare.append
    with connected(None) as (ours, _):
        for number in range(20):
            ours.put_off(note_rare if number == 10 else note, number)
        ours.do_left()

    assert usual == [[*range(8)], [8, 9], [*range(11, 19)], [19]]
    assert rare == [[10]]
