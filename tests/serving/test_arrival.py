"""A request is complete when its last byte is here, in whatever pieces it came."""

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
    """A request with no body, or one of a known length, or one in chunks."""
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
def test_it_is_complete_with_its_last_byte_and_not_before(
    request_: bytes, sizes: list[int], following: bytes
) -> None:
    coming = arrival()
    at, turn = 0, 0
    while at < len(request_):
        assert not coming.complete
        step = sizes[turn % len(sizes)]
        coming.add(request_[at : at + step])
        at, turn = at + step, turn + 1

    assert coming.complete
    assert not coming.partial
    # What comes at once is judged alike, with the beginning of the next behind it.
    whole = arrival(request_ + following)
    assert (whole.complete, whole.partial, whole.refused) == (True, False, None)
    assert coming.data + following == whole.data == request_ + following


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
def test_what_can_be_refused_already_is_not_waited_for(sent: bytes) -> None:
    assert (arrival(sent).complete, arrival(sent).partial) == (True, True)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (LINE + b"X: " + b"y" * MAX_HEAD, 431),
        (LINE + b"X: y\r\n" * (MAX_HEAD // 6 + 1) + b"\r\n", 431),
        (CHUNKED + b"1\r\nx\r\n" * (MAX_ENCODED // 6 + 1), 413),
    ],
)
def test_what_has_no_end_is_refused(sent: bytes, status: int) -> None:
    assert (arrival(sent).complete, arrival(sent).refused) == (False, status)


def test_a_client_that_waits_for_a_word_is_known() -> None:
    assert arrival(LINE + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n").expects
