"""A connection buffers a response for a slow client, up to a limit."""

import socket
from collections.abc import Iterator
from threading import Semaphore

import pytest

from nexus.serving import peer
from nexus.serving.peer import AHEAD, Outbox

#: More than the kernel's buffers and ours hold.
MUCH = b"x" * (2 * AHEAD)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_response_in_one_piece_is_buffered_and_a_stream_waits(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "PATIENCE", 0.05)
    with Outbox(pair[0], Semaphore(1)) as outbox:
        outbox.sendall(MUCH)
        assert AHEAD < len(outbox.unsent) < len(MUCH)

        with pytest.raises(BrokenPipeError, match="does not read"):
            outbox.sendall(b"y")
        assert not outbox.unsent


def test_a_stream_continues_when_its_reader_does(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    with Outbox(ours, Semaphore(1)) as outbox:
        outbox.sendall(MUCH)
        while len(outbox.unsent) > AHEAD:
            theirs.recv(1 << 20)
            outbox.flush()
        outbox.sendall(b"y")
        assert outbox.unsent.endswith(b"y")


def test_the_number_of_waiting_streams_is_limited(pair: tuple[socket.socket, socket.socket]) -> None:
    with Outbox(pair[0], Semaphore(0)) as outbox:
        outbox.sendall(MUCH)
        with pytest.raises(BrokenPipeError, match="too many"):
            outbox.sendall(b"y")
