"""Malformed requests: each gets a response, none a 500, and the server keeps running."""

import json
import re
import socket
import sys
from collections import Counter

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.faults.conftest import Server

HEAD = b"POST /api/auth/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BODY = b'{"email": "half@test.com", "password": "password123"}'
CHUNK = b"10000\r\n" + b" " * 0x10000 + b"\r\n"

GET = b"GET /api/products?userId=1 HTTP/1.1\r\nHost: x\r\n"
DEEP = b'{"a":' + b"[" * 200_000

REQUESTS = {
    "a body that ends before its length": (HEAD + b"Content-Length: 100\r\n\r\n" + BODY, 400),
    "a chunked body without an end": (CHUNKED + b"%x\r\n%b\r\n" % (len(BODY), BODY), 400),
    "a chunked body over the limit": (CHUNKED + CHUNK * 5 + b"0\r\n\r\n", 413),
    "a chunked body at the limit": (CHUNKED + CHUNK * 4 + b"0\r\n\r\n", 400),
    "a chunk with an invalid size": (CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", 400),
    "chunks that end too early": (CHUNKED + b"5\r\n{}", 400),
    "a length over the limit": (HEAD + b"Content-Length: 10000000\r\n\r\n", 413),
    "an invalid length": (HEAD + b"Content-Length: ten\r\n\r\n", 400),
    "two lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    "a length and chunks": (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400),
    "an invalid path": (b"GET /api/products?userId=%zz%ff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a SCRIPT_NAME header": (
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nSCRIPT_NAME: /foo\r\n\r\n",
        200,
    ),
    "ten megabytes": (HEAD + b"Content-Length: 10000000\r\n\r\n" + b" " * 10_000_000, 413),
    "JSON that is 200,000 deep": (HEAD + b"Content-Length: %d\r\n\r\n" % len(DEEP) + DEEP, 400),
    "a hundred thousand headers": (GET + b"X: y\r\n" * 100_000 + b"\r\n", 431),
    "a head without an end": (GET + b"X: " + b"y" * 70_000, 431),
    "too many headers": (GET + b"X: y\r\n" * 64 + b"\r\n", 431),
    "a header that is too long": (GET + b"X: " + b"y" * 9000 + b"\r\n\r\n", 431),
    "a URL that is too long": (b"GET /" + b"y" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "two hosts": (GET + b"Host: y\r\n\r\n", 400),
    "two types": (HEAD + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 400),
    "a length with a sign": (HEAD + b"Content-Length: +2\r\n\r\n{}", 400),
    "chunked twice": (HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    "a space before the colon": (HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "gzip and chunked": (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "an unknown transfer encoding": (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    "chunks in HTTP/1.0": (CHUNKED.replace(b"1.1", b"1.0") + b"0\r\n\r\n", 400),
    "an invalid chunk extension": (CHUNKED + b"2;\x00\r\n{}\r\n0\r\n\r\n", 400),
    "a chunk without its end": (CHUNKED + b"2\r\n{}0\r\n\r\n", 400),
    "a folded header": (GET + b"X: y\r\n z\r\n\r\n", 400),
    "lines that end in a bare line feed": (b"GET / HTTP/1.1\nHost: x\n\n", 400),
    "a NUL byte in a header": (GET + b"X: \x00\r\n\r\n", 400),
    "HTTP/1.0": (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
    "an unsupported version": (b"GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n", 400),
    "a request for 100 Continue": (HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", 400),
    "an invalid host": (b"GET /api/nothing HTTP/1.1\r\nHost: [:::\r\n\r\n", 404),
}


def talk(server: Server, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def test_garbled_requests_are_refused_one_by_one(shop: Server, subtests: pytest.Subtests) -> None:
    workers = shop.workers()
    for what, (sent, status) in REQUESTS.items():
        with subtests.test(what):
            head, _, body = talk(shop, sent).partition(b"\r\n\r\n")
            assert head.split(b" ")[1:2] == [str(status).encode()]
            if status >= 400:
                problem = json.loads(body)
                assert (problem["status"], problem["requestId"].encode() in head) == (status, True)
                assert b"\r\nContent-Type: application/problem+json\r\n" in head

    assert shop.get("/api/products?userId=1")[0] == 200
    assert shop.workers() == workers


@pytest.mark.parametrize(
    "what",
    [
        "a length over the limit",
        "a chunked body over the limit",
        "a chunk with an invalid size",
        "an invalid host",
    ],
)
def test_a_response_says_whether_the_connection_stays_open(shop: Server, what: str) -> None:
    sent, _ = REQUESTS[what]
    following = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", shop.port), timeout=20) as connection:
        connection.sendall(sent)
        head = connection.recv(65536)
        connection.sendall(following)
        rest = b""
        while chunk := connection.recv(65536):
            rest += chunk

    stays_open = b"\r\nconnection: close\r\n" not in head.lower()
    assert stays_open is (what == "an invalid host")
    assert (b"HTTP/1.1 200 OK" in rest) is stays_open


def test_pipelined_requests_are_answered_in_order(shop: Server) -> None:
    body = HEAD + b"Content-Length: 2\r\n\r\n{}"
    chunks = CHUNKED + b"1\r\n{\r\n1;a=b\r\n}\r\n0\r\nX: y\r\n\r\n"
    other = b"GET /api/nothing HTTP/1.1\r\nHost: x\r\n\r\n"

    answer = talk(shop, (GET + b"\r\n" + body + other + chunks) * 5)

    assert statuses(answer) == [b"200", b"400", b"404", b"400"] * 5


def statuses(answer: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)


def test_the_server_does_not_reveal_its_version(shop: Server) -> None:
    assert re.findall(rb"\r\nServer: (.*?)\r\n", talk(shop, GET + b"\r\n")) == [b"gunicorn"]


#: Fragments of requests, to be combined at random.
PARTS = [
    *(
        b"GET",
        b"POST",
        b"OPTIONS",
        b" ",
        b"/",
        b"/api/products?userId=1",
        b"/api/auth/login",
        b"*",
        b"%00",
        b"?q=%ff",
    ),
    *(
        b" HTTP/1.1",
        b" HTTP/1.0",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\r",
        b"Host: x",
        b"Host: [::",
        b"Content-Length: ",
    ),
    *(
        b"Transfer-Encoding: chunked",
        b"Content-Type: application/json",
        b"Expect: 100-continue",
        b"Connection: close",
    ),
    *(
        b"Authorization: Bearer x.y.z",
        b"Cookie: token=x",
        b"Idempotency-Key: ",
        b"Upgrade: h2c",
        b"If-None-Match: *",
    ),
    *(
        b"0",
        b"1",
        b"2",
        b"5",
        b"ffffffffffffffff",
        b";a=b",
        b"{}",
        b'{"email": "a@b.c"}',
        b"[",
        b"\x00",
        b"\xff",
        b": ",
    ),
]
BEGINNINGS = [b"", GET, HEAD, CHUNKED, HEAD + b"Content-Length: 5\r\n\r\n"]


@pytest.mark.parametrize("examples", [30, pytest.param(3000, marks=pytest.mark.long)])
def test_no_bytes_cause_a_500_or_crash_a_worker(
    shop: Server, examples: int, capsys: pytest.CaptureFixture[str]
) -> None:
    workers, counts = shop.workers(), Counter[bytes]()

    @hypothesis_settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from(BEGINNINGS), st.lists(st.sampled_from(PARTS) | st.binary(max_size=20), max_size=12)
    )
    def send(beginning: bytes, parts: list[bytes]) -> None:
        found = statuses(talk(shop, beginning + b"".join(parts)))
        counts.update(found or [b"none"])
        assert b"500" not in found

    send()

    if examples > 1000:
        with capsys.disabled():
            sys.stdout.write(f"\n{examples} examples: {dict(counts)}\n")
    assert shop.workers() == workers
