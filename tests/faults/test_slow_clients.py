"""Dozens of slow, silent or disconnected clients: the others are served as if they did not exist."""

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
    "sends nothing": b"",
    "sends part of a request line": b"GET /api/pro",
    "sends part of the headers": GET + b"Cookie: a",
    "sends part of a body": POST + b'Content-Length: 100\r\n\r\n{"email"',
    "sends part of a chunk": POST + b'Transfer-Encoding: chunked\r\n\r\n40\r\n{"email"',
    "waits for 100 Continue, then sends nothing": POST + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n",
    "sends part of a body that is too large": POST + b"Content-Length: 10000000\r\n\r\n{",
    "requests more than it reads": DOCUMENT * 30,
    "does not disconnect after Connection: close": b"garbage\r\n\r\n",
}
CROWD = 12


def connect(server: Server, sent: bytes = b"") -> socket.socket:
    """Open a connection with a small receive buffer, and send these bytes."""
    connection = socket.socket()
    connection.settimeout(20)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", server.port))
    connection.sendall(sent)
    return connection


def answers(server: Server, wanted: int) -> Counter[int]:
    """Send requests of well-behaved clients; count the responses by status."""
    with ThreadPoolExecutor(8) as crowd:
        return Counter(status for status, _ in crowd.map(server.get, ["/api/products?userId=1"] * wanted))


def test_many_slow_clients_do_not_delay_others(shop: Server) -> None:
    with ExitStack() as connections:
        for sent in SILENT.values():
            for _ in range(CROWD):
                connections.enter_context(connect(shop, sent))

        assert answers(shop, 100) == {200: 100}


def test_a_slow_but_valid_request_is_served(shop: Server) -> None:
    with connect(shop, POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n") as client:
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"{")
        time.sleep(0.1)
        client.sendall(b"}")
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")


@pytest.mark.long
def test_clients_that_are_too_slow_get_a_response_and_are_disconnected(shop: Server) -> None:
    found = {}
    with ExitStack() as connections:
        crowd = {what: connections.enter_context(connect(shop, sent)) for what, sent in SILENT.items()}
        # This client is served as soon as it reads on.
        del crowd["requests more than it reads"]
        for what, client in crowd.items():
            client.settimeout(60)
            found[what] = statuses(everything(client))

    assert found["sends nothing"] == []
    assert found["sends part of a request line"] == found["sends part of the headers"] == [b"408"]
    assert found["sends part of a body"] == found["sends part of a chunk"] == [b"408"]
    assert found["waits for 100 Continue, then sends nothing"] == [b"100", b"408"]
    assert found["sends part of a body that is too large"] == [b"413"]
    assert found["does not disconnect after Connection: close"] == [b"400"]


def everything(client: socket.socket) -> bytes:
    answer = b""
    while chunk := client.recv(65536):
        answer += chunk
    return answer


@pytest.mark.long
@pytest.mark.parametrize(("sent", "crowd"), [(b"", 1000), (GET, 1000), (b"", 2500), (GET, 2500)])
def test_well_behaved_clients_are_served_among_thousands_of_silent_ones(
    shop: Server, sent: bytes, crowd: int, capsys: pytest.CaptureFixture[str]
) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    before = measured(shop)
    with ExitStack() as connections:
        for _ in range(crowd):
            connections.enter_context(connect(shop, sent))
        among = measured(shop)

    with capsys.disabled():
        ratio = percentile(among.times) / percentile(before.times)
        sys.stdout.write(
            f"\n{crowd} that sent {sent[:3]!r}: {dict(among.counts)}, p99 {ratio:.1f} times that of before\n"
        )
    assert set(among.counts) == {200}


def measured(server: Server) -> Load:
    """Send about a thousand requests of well-behaved clients; return their statuses and times."""
    with Load(server.port, [0.005] * 4 + [None] * 4) as load:
        while load.counts.total() < 1000:
            time.sleep(0.05)
    return load


def percentile(times: list[float]) -> float:
    return sorted(times)[len(times) * 99 // 100]
