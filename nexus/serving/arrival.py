"""Detects when a request has arrived completely, from its bytes as they come, without waiting."""

import re
from collections.abc import Callable
from typing import Any

from gunicorn.http.body import ChunkedReader  # type: ignore[import-untyped]
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from gunicorn.http.message import Request  # type: ignore[import-untyped]
from gunicorn.http.unreader import IterUnreader  # type: ignore[import-untyped]

from nexus.limits import MAX_BODY, MAX_ENCODED, MAX_HEAD, MAX_LINE

HEX = re.compile(rb"[0-9a-fA-F]{1,16}")
#: Without one of these headers a request ends with its head.
FRAMES = (b"content-length", b"transfer-encoding")


class Arrival:
    """The received bytes of a connection that do not belong to an earlier request.

    They are judged by gunicorn's own parser, so that the two cannot disagree about where a request ends. A
    request that the parser rejects counts as complete here: whoever handles it answers with an error.
    """

    #: The environment from the head.
    environ: dict[str, Any] | None = None
    #: Whether the request can be handled, and whether the rest of its body is still missing then.
    complete = False
    partial = False
    #: Whether the client waits for 100 Continue before it sends the body.
    expects = False
    #: The status with which the request is refused: 413, 431 or 501.
    refused: int | None = None
    #: Where the body begins; its length, or None if it is chunked.
    _body: int | None = None
    _length: int | None = None
    #: Offset of the next chunk; size of the chunks before it; offset up to which no end was found.
    _chunk = 0
    _decoded = 0
    _searched = 0

    def __init__(
        self, cfg: Any, client: Any, read: Callable[[bytes], dict[str, Any] | None], data: bytes = b""
    ) -> None:
        """Take gunicorn's settings, the client's address, and the bytes of the request read so far.

        `read` turns a head of the usual form into an environment, and returns None for any other.
        """
        self._cfg = cfg
        self._client = client
        self._read_plain = read
        self.data = bytearray(data)
        if data:
            self._judge()

    def add(self, piece: bytes) -> None:
        """Add bytes that have arrived."""
        self.data += piece
        self._judge()

    def take(self) -> tuple[bytes, bytes]:
        """The body of a complete request, and the bytes that follow it."""
        end = (self._body or 0) + (self._length or 0)
        return bytes(self.data[self._body : end]), bytes(self.data[end:])

    def end(self) -> None:
        """Note that nothing more will come: a truncated request is answered as such."""
        self.complete = self.partial = True

    @property
    def in_body(self) -> bool:
        """Whether the head is complete."""
        return self._body is not None

    def _judge(self) -> None:
        if self._body is None and not self._read_head():
            return
        if self.complete or self._body is None:
            return
        if self._length is None:
            self.complete = self._read_chunks()
            if not self.complete and len(self.data) - self._body > MAX_ENCODED:
                self.refused = 413
        else:
            self.partial = self._length > MAX_BODY
            self.complete = self.partial or len(self.data) >= self._body + self._length

    def _read_head(self) -> bool:
        """Determine the length of the body, once the head is complete."""
        # A line break before the head is left over from the previous request, and skipped.
        start = 2 if self.data.startswith(b"\r\n") else 0
        end = self.data.find(b"\r\n\r\n", max(start, self._searched - 3))
        if end < 0:
            self._searched = len(self.data)
            if self.data.count(b"\n") != self.data.count(b"\r\n"):
                # A line ends in a bare LF, so the head may too, and its end would never be found.
                self.complete = self.partial = True
            elif len(self.data) > MAX_HEAD:
                self.refused = 431
            return False
        if end > MAX_HEAD:
            self.refused = 431
            return False
        head = bytes(self.data[: end + 4])
        self._body = self._chunk = end + 4
        self.environ = self._read_plain(head[start:])
        if self.environ is not None:
            self._length = int(self.environ.get("CONTENT_LENGTH", "0"))
            return True
        lowered = head.lower()
        if not any(name in lowered for name in FRAMES):
            self.complete = True
            return True
        try:
            request = Request(self._cfg, IterUnreader([head]), self._client, 1)
        except (ParseException, OSError):
            self.complete = self.partial = True
            return True
        # gunicorn decodes only `chunked`, and would pass on a compressed body as if it were a plain one.
        codings = [value.strip().lower() for name, value in request.headers if name == "TRANSFER-ENCODING"]
        if codings not in ([], ["chunked"]):
            self.refused = 501
            return True
        self.expects = request._expected_100_continue
        reader = request.body.reader
        self._length = None if isinstance(reader, ChunkedReader) else reader.length
        return True

    def _read_chunks(self) -> bool:
        """Whether to stop waiting: the last chunk is here, one is malformed, or there is too much."""
        while True:
            end = self.data.find(b"\r\n", self._chunk)
            if end < 0:
                self.partial = len(self.data) - self._chunk > MAX_LINE
                return self.partial
            size = self.data[self._chunk : end].partition(b";")[0].rstrip(b" \t")
            if not HEX.fullmatch(size):
                self.partial = True
                return True
            length = int(size, 16)
            if length == 0:
                # The end of the trailers, which may be empty.
                last = self.data.find(b"\r\n\r\n", max(end, self._searched - 3))
                self._searched = len(self.data)
                return last >= 0
            here = len(self.data) - end - 2
            if self._decoded + min(length, here) > MAX_BODY:
                self.partial = True
                return True
            if here < length + 2:
                return False
            self._decoded += length
            self._chunk = end + 2 + length + 2
