"""Usual requests are parsed, and their responses written, as by gunicorn; it handles all others itself."""

import io
import re
from collections.abc import Iterable
from typing import Any

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]
from gunicorn.http.errors import InvalidResponseHeader  # type: ignore[import-untyped]
from gunicorn.http.message import Request  # type: ignore[import-untyped]
from gunicorn.http.unreader import IterUnreader  # type: ignore[import-untyped]
from gunicorn.http.wsgi import Response, create  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from nexus.serving.plain import CutOff, Plain

CLIENT, SERVER = ("192.0.2.7", 4711), ("127.0.0.1", 8000)
#: Entries that only gunicorn sets and our application does not use, and those that differ per request.
IGNORED = {"wsgi.early_hints", "wsgi.errors", "wsgi.input", "gunicorn.socket"}

NAMES = (
    "Host Accept x-request-id Cookie Content-Type Content-Length Connection Expect Transfer-Encoding Upgrade"
)
names = st.sampled_from(
    [*NAMES.split(), "X-Forwarded-Proto", "X-Forwarded-For", "Script-Name", "X_Odd", "a b"]
)
values = st.one_of(
    st.sampled_from(
        ["", "keep-alive", "close", "7", "+7", "007", "chunked", "100-continue", "https", "a\tb", "é"]
    ),
    st.text("abé 1:,;=\"'/ ", max_size=12),
)
heads = st.builds(
    lambda method, target, version, fields: (
        f"{method} {target} HTTP/{version}\r\n"
        + "".join(f"{name}:{value}\r\n" for name, value in fields)
        + "\r\n"
    ).encode("latin-1"),
    st.sampled_from(["GET", "HEAD", "POST", "get", "PURGE", "CONNECT", ""]),
    st.text('/ab%2F?=&#;:@[]{}"\\ \té.', max_size=14).map(lambda rest: f"/{rest}"),
    st.sampled_from(["1.1", "1.1", "1.1", "1.0", "2.0"]),
    st.lists(st.tuples(names, values), max_size=5),
)


def config() -> Config:
    found = Config()
    found.set("forwarded_allow_ips", "")
    return found


class Sink(io.BytesIO):
    """A socket that collects the bytes sent to a client."""

    def sendall(self, data: bytes) -> None:
        self.write(data)

    @property
    def sent(self) -> bytes:
        """All bytes sent, without the time in the Date header."""
        return re.sub(rb"Date: [^\r]*", b"Date:", self.getvalue())


def by_gunicorn(head: bytes) -> dict[str, Any]:
    request = Request(config(), IterUnreader([head]), CLIENT, 1)
    _, environ = create(request, Sink(), CLIENT, SERVER, config())
    # As gunicorn's threaded worker does.
    return {**environ, "wsgi.multithread": True}


@given(heads)
def test_requests_are_parsed_as_by_gunicorn(head: bytes) -> None:
    found = Plain(config()).reader(CLIENT, SERVER)(head)
    if found is not None:
        theirs = by_gunicorn(head)
        assert {name: found[name] for name in found.keys() - IGNORED} == {
            name: theirs[name] for name in theirs.keys() - IGNORED
        }


@pytest.mark.parametrize(
    "head",
    [
        b"GET /api/products?userId=7&limit=20 HTTP/1.1\r\nHost: x:8000\r\n\r\n",
        b"POST /a%20b/ HTTP/1.1\r\nhost:x\r\nContent-Length:  2 \r\nConnection: Keep-Alive\r\n\r\n",
    ],
)
def test_usual_requests_are_parsed_here(head: bytes) -> None:
    assert Plain(config()).reader(CLIENT, SERVER)(head)


@pytest.mark.parametrize(
    "line",
    [
        "Transfer-Encoding: chunked",
        "Connection: close",
        "Connection: keep-alive\r\nExpect: 100-continue",
        "Host: y",
        "Content-Length: 1\r\nContent-Length: 1",
        "Content-Length: 262145",
        "Content-Length: -1",
        "Content_Length: 1",
        " folded: yes",
        "X: a\tb",
        "X: " + "a" * 8190,
        "\r\n".join(f"X{n}: 1" for n in range(101)),
    ],
)
def test_unusual_requests_are_left_to_gunicorn(line: str) -> None:
    assert (
        Plain(config()).reader(CLIENT, SERVER)(f"GET / HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n".encode())
        is None
    )


@pytest.mark.parametrize("target", ["/a#b", "//a", "http://x/a", "*", "a", "/\xe9", "/a\tb", ""])
def test_unusual_targets_are_left_to_gunicorn(target: str) -> None:
    head = f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1")

    assert Plain(config()).reader(CLIENT, SERVER)(head) is None


@pytest.mark.parametrize(
    ("name", "value"), [("forwarded_allow_ips", "*"), ("proxy_protocol", "auto"), ("keepalive", 0)]
)
def test_settings_that_affect_parsing_leave_all_requests_to_gunicorn(name: str, value: object) -> None:
    changed = config()
    changed.set(name, value)

    assert Plain(changed).reader(CLIENT, SERVER)(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") is None
    assert Plain(config()).reader("", SERVER)(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") is None


def ours(
    method: str, status: str, headers: list[tuple[str, str]], body: Iterable[bytes], **options: Any
) -> Any:
    sink = Sink()

    def app(_: dict[str, Any], start: Any) -> Iterable[bytes]:
        start(status, headers)
        return body

    return Plain(config()).answer(
        app, {"REQUEST_METHOD": method}, sink, **{"last": False, **options}
    ), sink.sent


def theirs(method: str, status: str, headers: list[tuple[str, str]], body: Iterable[bytes]) -> Any:
    sink = Sink()
    request = Request(config(), IterUnreader([f"{method} / HTTP/1.1\r\n\r\n".encode()]), CLIENT, 1)
    response = Response(request, sink, config())
    response.start_response(status, headers)
    for piece in body:
        response.write(piece)
    response.close()
    return not response.should_close(), sink.sent


@given(
    st.sampled_from(["GET", "HEAD", "POST"]),
    st.sampled_from(["200 OK", "201 CREATED", "204 NO CONTENT", "304 NOT MODIFIED", "404 NOT FOUND"]),
    st.lists(
        st.tuples(st.sampled_from(["X-A", "Content-Type", "Upgrade", "Server"]), st.text("aé:; ")).map(
            lambda field: (field[0], field[1].strip())
        ),
        max_size=3,
    ),
    st.lists(st.binary(max_size=9), max_size=3),
    st.booleans(),
)
def test_a_response_is_written_as_by_gunicorn(
    method: str,
    status: str,
    headers: list[tuple[str, str]],
    body: list[bytes],
    known: bool,  # noqa: FBT001
) -> None:
    length = [("Content-Length", str(sum(map(len, body))))] if known else []

    assert ours(method, status, [*headers, *length], body) == theirs(
        method, status, [*headers, *length], body
    )


def test_the_last_response_says_connection_close() -> None:
    keeps_alive, sent = ours("GET", "200 OK", [("Content-Length", "2")], [b"{}"], last=True)

    assert (keeps_alive, b"Connection: close\r\n" in sent) == (False, True)
    keeps_alive, sent = ours("GET", "200 OK", [], [b"{}"], last=True)
    assert (keeps_alive, b"Connection: close\r\n" in sent) == (False, True)


def test_a_body_of_the_wrong_length_does_not_corrupt_the_next_response() -> None:
    keeps_alive, sent = ours("GET", "200 OK", [("Content-Length", "1")], [b"two"])
    assert (keeps_alive, sent[-5:]) == (True, b"\r\n\r\nt")

    keeps_alive, _ = ours("GET", "200 OK", [("Content-Length", "9")], [b"two"])
    assert not keeps_alive


def test_a_header_value_cannot_inject_a_header() -> None:
    with pytest.raises(InvalidResponseHeader):
        ours("GET", "200 OK", [("X", "a\r\nY: b"), ("Content-Length", "0")], [])


def test_a_failing_response_is_cut_off_if_begun_and_its_body_closed() -> None:
    class Body:
        closed = False

        def __init__(self, *good: bytes) -> None:
            self._good = good

        def __iter__(self) -> Any:
            yield from self._good
            raise ValueError

        def close(self) -> None:
            self.closed = True

    begun, not_begun = Body(b"one"), Body()
    with pytest.raises(CutOff):
        ours("GET", "200 OK", [], begun)
    with pytest.raises(ValueError, match=r"^$"):
        ours("GET", "200 OK", [], not_begun)
    assert begun.closed
    assert not_begun.closed


def test_an_error_while_closing_the_body_ends_the_connection() -> None:
    class Body(list[bytes]):
        def close(self) -> None:
            raise ValueError

    with pytest.raises(CutOff):
        ours("GET", "200 OK", [("Content-Length", "2")], Body([b"{}"]))


def test_a_disconnected_client_raises_broken_pipe() -> None:
    class Gone(Sink):
        def sendall(self, data: bytes) -> None:
            raise BrokenPipeError(len(data))

    def app(_: dict[str, Any], start: Any) -> Iterable[bytes]:
        start("200 OK", [])
        return [b"one"]

    with pytest.raises(BrokenPipeError):
        Plain(config()).answer(app, {"REQUEST_METHOD": "GET"}, Gone(), last=False)


def test_a_status_cannot_inject_a_header() -> None:
    with pytest.raises(ValueError, match="Invalid status"):
        ours("GET", "200 OK\r\nX: y", [("Content-Length", "0")], [])


def test_a_length_of_thousands_of_digits_is_left_to_gunicorn() -> None:
    wide = config()
    wide.set("limit_request_line", 8190)
    head = b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"0" * 5000 + b"\r\n\r\n"

    assert Plain(wide).reader(CLIENT, SERVER)(head) is None
