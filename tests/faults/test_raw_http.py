"""Bytes that no well-meaning client sends: each is answered, none with a 500, and the server goes on."""

import socket

import pytest

from tests.faults.conftest import Server

HEAD = b"POST /api/auth/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BODY = b'{"email": "half@test.com", "password": "password123"}'
CHUNK = b"10000\r\n" + b" " * 0x10000 + b"\r\n"

REQUESTS = {
    "a body that ends before its length": (HEAD + b"Content-Length: 100\r\n\r\n" + BODY, 400),
    "the same in chunks without an end": (CHUNKED + b"%x\r\n%b\r\n" % (len(BODY), BODY), 400),
    "a chunked body over the limit": (CHUNKED + CHUNK * 5 + b"0\r\n\r\n", 413),
    "a chunked body at the limit": (CHUNKED + CHUNK * 4 + b"0\r\n\r\n", 400),
    "a chunk whose size is none": (CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", 400),
    "chunks that end too early": (CHUNKED + b"5\r\n{}", 400),
    "a length over the limit": (HEAD + b"Content-Length: 10000000\r\n\r\n", 413),
    "a length that is none": (HEAD + b"Content-Length: ten\r\n\r\n", 400),
    "two lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    "both kinds of length": (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400),
    "a path that is none": (b"GET /api/products?userId=%zz%ff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a path prefix that no proxy of ours sets": (
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nSCRIPT_NAME: /foo\r\n\r\n",
        200,
    ),
    "a host that is none": (b"GET /api/nothing HTTP/1.1\r\nHost: [:::\r\n\r\n", 404),
}


def talk(server: Server, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def test_garbled_requests_are_refused_one_by_one(server: Server, subtests: pytest.Subtests) -> None:
    for what, (sent, status) in REQUESTS.items():
        with subtests.test(what):
            assert talk(server, sent).split(b" ")[1:2] == [str(status).encode()]

    assert server.get("/api/products?userId=1")[0] == 200
