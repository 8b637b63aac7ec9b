"""A request is complete when its last byte has arrived, however it was split."""

from typing import Any

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from nexus.limits import MAX_BODY, MAX_ENCODED, MAX_HEAD
from nexus.serving.arrival import Arrival

CLIENT = ("127.0.0.1", 1)
LINE = b"POST /api/orders HTTP/1.1\r\nHost: x\r\n"
CHUNKED = LINE + b"Transfer-Encoding: chunked\r\n\r\n"


def arrival(data: bytes = b"") -> Arrival:
    return Arrival(Config(), CLIENT, lambda _: None, data)


@st.composite
def requests(draw: Any) -> bytes:
    """Generate a request without a body, with a Content-Length, or chunked."""
    parts: list[bytes] = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=4))
    kind = draw(st.sampled_from(["none", "length", "chunks"]))
    if kind == "none":
        return b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    if kind == "length":
        body = b"".join(parts)
        return LINE + b"Content-Length: %d\r\n\r\n" % len(body) + body
    extension: bytes = draw(st.sampled_from([b"", b";a=b", b' ; a="b"']))
    trailer: bytes = draw(st.sampled_from([b"", b"X: y\r\n", b"X: y\r\nZ: 0\r\n"]))
    chunks = b"".join(b"%x%b\r\n%b\r\n" % (len(part), extension, part) for part in parts)
    return CHUNKED + chunks + b"0" + extension + b"\r\n" + trailer + b"\r\n"


@given(requests(), st.lists(st.integers(1, 30), min_size=1), st.sampled_from([b"", b"\r\n", b"\r\nGET"]))
def test_a_request_is_complete_with_its_last_byte_and_not_before(
    request_: bytes, sizes: list[int], following: bytes
) -> None:
    incoming = arrival()
    offset, turn = 0, 0
    while offset < len(request_):
        assert not incoming.complete
        step = sizes[turn % len(sizes)]
        incoming.add(request_[offset : offset + step])
        offset, turn = offset + step, turn + 1

    assert incoming.complete
    assert not incoming.partial
    # The result is the same if it arrives at once, followed by the beginning of the next request.
    whole = arrival(request_ + following)
    assert (whole.complete, whole.partial, whole.refused) == (True, False, None)
    assert incoming.data + following == whole.data == request_ + following


@pytest.mark.parametrize(
    "sent",
    [
        LINE + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1),
        CHUNKED + b"ffffffff\r\n" + b" " * (MAX_BODY + 1),
        CHUNKED + (b"1000\r\n" + b" " * 0x1000 + b"\r\n") * 65,
        CHUNKED + b"zz\r\n",
        CHUNKED + b"1" * 9000,
        LINE + b"Content-Length: two\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
    ],
)
def test_an_invalid_request_is_complete_without_the_rest(sent: bytes) -> None:
    assert (arrival(sent).complete, arrival(sent).partial) == (True, True)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (LINE + b"X: " + b"y" * MAX_HEAD, 431),
        (LINE + b"X: y\r\n" * (MAX_HEAD // 6 + 1) + b"\r\n", 431),
        (CHUNKED + b"1\r\nx\r\n" * (MAX_ENCODED // 6 + 1), 413),
    ],
)
def test_a_request_that_exceeds_the_limits_is_refused(sent: bytes, status: int) -> None:
    assert (arrival(sent).complete, arrival(sent).refused) == (False, status)


def test_an_expected_100_continue_is_detected() -> None:
    assert arrival(LINE + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n").expects
