"""Clients that are slow, silent or gone, by the dozen: the others are served as if there were none."""

import resource
import socket
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.faults.conftest import Server
from tests.faults.good_clients import Load
from tests.faults.test_raw_http import statuses

GET = b"GET /api/products?userId=1 HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
DOCUMENT = b"GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"

#: What each kind of client sends before it falls silent.
SILENT = {
    "says nothing": b"",
    "begins a line": b"GET /api/pro",
    "begins a head": GET + b"Cookie: a",
    "begins a body": POST + b'Content-Length: 100\r\n\r\n{"email"',
    "begins a chunk": POST + b'Transfer-Encoding: chunked\r\n\r\n40\r\n{"email"',
    "waits for a word, and then says nothing": POST + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n",
    "begins a body that is too large": POST + b"Content-Length: 10000000\r\n\r\n{",
    "asks for more than it reads": DOCUMENT * 30,
    "does not leave when it is told to": b"garbage\r\n\r\n",
}
CROWD = 12


def connect(server: Server, sent: bytes = b"") -> socket.socket:
    """A connection that has a small buffer for answers, and has sent something."""
    connection = socket.socket()
    connection.settimeout(20)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", server.port))
    connection.sendall(sent)
    return connection


def answers(server: Server, wanted: int) -> Counter[int]:
    """How requests of good clients are answered, by status."""
    with ThreadPoolExecutor(8) as crowd:
        return Counter(status for status, _ in crowd.map(server.get, ["/api/products?userId=1"] * wanted))


def test_a_crowd_of_slow_clients_keeps_nobody_waiting(shop: Server) -> None:
    with ExitStack() as open_ones:
        for sent in SILENT.values():
            for _ in range(CROWD):
                open_ones.enter_context(connect(shop, sent))

        assert answers(shop, 100) == {200: 100}


def test_whoever_is_slow_but_honest_is_served(shop: Server) -> None:
    with connect(shop, POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n") as client:
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"{")
        time.sleep(0.1)
        client.sendall(b"}")
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")


@pytest.mark.long
def test_clients_that_are_too_slow_are_told_and_left(shop: Server) -> None:
    told = {}
    with ExitStack() as open_ones:
        crowd = {what: open_ones.enter_context(connect(shop, sent)) for what, sent in SILENT.items()}
        # This one is served when it reads on.
        del crowd["asks for more than it reads"]
        for what, client in crowd.items():
            client.settimeout(60)
            told[what] = statuses(everything(client))

    assert told["says nothing"] == []
    assert told["begins a line"] == told["begins a head"] == [b"408"]
    assert told["begins a body"] == told["begins a chunk"] == [b"408"]
    assert told["waits for a word, and then says nothing"] == [b"100", b"408"]
    assert told["begins a body that is too large"] == [b"413"]
    assert told["does not leave when it is told to"] == [b"400"]


def everything(client: socket.socket) -> bytes:
    answer = b""
    while chunk := client.recv(65536):
        answer += chunk
    return answer


@pytest.mark.long
@pytest.mark.parametrize(("sent", "crowd"), [(b"", 1000), (GET, 1000), (b"", 2500), (GET, 2500)])
def test_good_clients_among_thousands_that_say_nothing_more(
    shop: Server, sent: bytes, crowd: int, capsys: pytest.CaptureFixture[str]
) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    before = measured(shop)
    with ExitStack() as open_ones:
        for _ in range(crowd):
            open_ones.enter_context(connect(shop, sent))
        among = measured(shop)

    with capsys.disabled():
        ratio = percentile(among.times) / percentile(before.times)
        sys.stdout.write(
            f"\n{crowd} that sent {sent[:3]!r}: {dict(among.counts)}, p99 {ratio:.1f} times that of before\n"
        )
    assert set(among.counts) == {200}


def measured(server: Server) -> Load:
    """What some thousand requests of good clients were answered, and in what time."""
    with Load(server.port, [0.005] * 4 + [None] * 4) as load:
        while load.counts.total() < 1000:
            time.sleep(0.05)
    return load


def percentile(times: list[float]) -> float:
    return sorted(times)[len(times) * 99 // 100]
