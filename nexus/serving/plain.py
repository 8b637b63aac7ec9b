"""A short path for requests and responses of the usual form, without what only rare ones need.

All others are left to gunicorn, which would parse and write the usual ones in the same way.
"""

import io
import os
import re
import time
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from itertools import chain
from types import SimpleNamespace
from typing import Any

from gunicorn import SERVER, util  # type: ignore[import-untyped]
from gunicorn.http.wsgi import STATUS_RE, Response, base_environ  # type: ignore[import-untyped]

from nexus.limits import MAX_BODY
from nexus.wsgi_keys import REFUSED

#: A head in ASCII whose target begins with a single slash. gunicorn treats `#` and `\t` specially.
HEAD = re.compile(
    r"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (/(?!/)[!\"$-~]*) HTTP/1\.1\r\n"
    r"((?:[A-Za-z0-9-]+:[ -~]*\r\n)*)\r\n"
)
FIELD = re.compile(r"([^:\r\n]+):(.*)\r\n")
#: Fields that determine how the rest is parsed, or what happens to the connection.
CONTROL = {"HTTP_CONNECTION", "HTTP_EXPECT", "HTTP_TRANSFER_ENCODING", "HTTP_UPGRADE"}

#: Fields that an application may send: all except those of the connection.
SENDABLE = re.compile(
    r"(?:(?!(?i:connection|keep-alive|proxy-authenticate|proxy-authorization|te|trailers|transfer-encoding"
    r"|upgrade|server|date):)[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [\t -~\x80-\xff]*\r\n)*"
)
LENGTH = re.compile(r"\r\nContent-Length: ([0-9]{1,7})\r\n")
#: The most digits of a body's length.
DIGITS = 7
#: Statuses whose responses have no body, whatever the application returns.
BODILESS = ("1", "204", "304")


class Plain:
    """Parses heads, and answers the requests that it has parsed."""

    def __init__(self, cfg: Any) -> None:
        """Take gunicorn's settings, some of which disable the short path."""
        self._cfg = cfg
        self._base = {
            **base_environ(cfg),
            "wsgi.multithread": True,
            "wsgi.url_scheme": "http",
            "SCRIPT_NAME": "",
            "SERVER_PROTOCOL": "HTTP/1.1",
        }
        rare = (
            cfg.is_ssl
            or cfg.forwarded_allow_ips
            or cfg.proxy_protocol != "off"
            or not cfg.keepalive
            or os.getenv("SCRIPT_NAME")
        )
        #: The maximum size of a head, so that none of its fields can be too long, and their maximum number.
        self._longest = 0 if rare else min(cfg.limit_request_line, cfg.limit_request_field_size)
        self._fields = cfg.limit_request_fields

    def reader(self, client: Any, server: Any) -> Callable[[bytes], dict[str, Any] | None]:
        """A function that parses the heads of a connection's requests.

        It returns the WSGI environment without the body, or None for a head that gunicorn must parse.
        """
        if not isinstance(client, tuple):
            return lambda _: None
        addresses = {
            "REMOTE_ADDR": client[0],
            "REMOTE_PORT": str(client[1]),
            "SERVER_NAME": server[0],
            "SERVER_PORT": str(server[1]),
        }
        return partial(self._read, {**self._base, **addresses})

    def _read(self, base: dict[str, Any], head: bytes) -> dict[str, Any] | None:
        if len(head) > self._longest:
            return None
        found = HEAD.fullmatch(head.decode("latin-1"))
        if found is None:
            return None
        method, target, fields = found.groups()
        path, _, query = target.partition("?")
        environ = {
            **base,
            "REQUEST_METHOD": method,
            "RAW_URI": target,
            "PATH_INFO": util.unquote_to_wsgi_str(path) if "%" in path else path,
            "QUERY_STRING": query,
        }
        known = len(environ)
        # Alternately nothing, a name and a value.
        parts = FIELD.split(fields)
        names, values = parts[1::3], parts[2::3]
        environ.update(zip(map(_variable, names), map(str.strip, values), strict=True))
        if len(environ) != known + len(names) or len(names) > self._fields:
            # What a repeated field means depends on its name, so gunicorn parses it.
            return None
        if not CONTROL.isdisjoint(environ) and not _keeps_alive(environ):
            return None
        length = environ.get("CONTENT_LENGTH", "0")
        # Python refuses to convert thousands of digits to a number.
        is_usual = length.isdecimal() and len(length) <= DIGITS and int(length) <= MAX_BODY
        return environ if is_usual else None

    def refused(self, status: int) -> dict[str, Any]:
        """The WSGI environment with which the application answers a request that could not be parsed."""
        return {
            **self._base,
            REFUSED: status,
            # No route has such a path or method, so the response can only be an error.
            "REQUEST_METHOD": "-",
            "PATH_INFO": "*",
            "QUERY_STRING": "",
            "SERVER_NAME": "",
            "SERVER_PORT": "",
            "wsgi.input": io.BytesIO(),
        }

    def answer(self, app: Any, environ: dict[str, Any], sock: Any, *, last: bool) -> bool:
        """Send the application's response; return whether the connection can be kept, unless it is `last`."""
        started: list[Any] = []
        pieces: list[bytes] = []

        def start(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
            started[:] = status, headers
            return pieces.append

        body = app(environ, start)
        try:
            status, headers = started
            head = None if environ["REQUEST_METHOD"] == "HEAD" else _head(status, headers, last=last)
            if head is None:
                return self._stream(environ, sock, started, chain(pieces, body), last=last)
            text, length = head
            content = b"".join([text.encode("latin-1"), *pieces, *body])
            end = len(text) + length
            sock.sendall(content if len(content) <= end else content[:end])
            return not last and len(content) >= end
        finally:
            _end(body)

    def _stream(
        self, environ: dict[str, Any], sock: Any, started: list[Any], body: Iterable[bytes], *, last: bool
    ) -> bool:
        """Let gunicorn send a response whose length is unknown, or that has no body."""
        request = SimpleNamespace(
            method=environ["REQUEST_METHOD"], version=(1, 1), headers=[], should_close=lambda: last
        )
        response = Response(request, sock, self._cfg)
        response.start_response(*started)
        try:
            for piece in body:
                response.write(piece)
            response.close()
        except OSError:
            # The client has disconnected.
            raise
        except Exception as error:
            if response.headers_sent:
                # What has been sent cannot be taken back, so the response must be visibly truncated.
                raise CutOff from error
            raise
        return not response.should_close()


class CutOff(Exception):
    """A response was truncated."""


def _end(body: Any) -> None:
    """Close the application's response; CutOff if that fails, since it may have been sent."""
    try:
        if hasattr(body, "close"):
            body.close()
    except Exception as error:
        raise CutOff from error


def _keeps_alive(environ: dict[str, Any]) -> bool:
    """Whether the control fields only ask for the default, to keep the connection."""
    return (
        CONTROL & environ.keys() == {"HTTP_CONNECTION"} and environ["HTTP_CONNECTION"].lower() == "keep-alive"
    )


def _head(status: str, headers: list[tuple[str, str]], *, last: bool) -> tuple[str, int] | None:
    """The head of a response, and the length of its body; None if gunicorn must write it."""
    start = _start(status, int(time.time()), last)
    fields = "\r\n".join([*map(": ".join, headers), ""])
    # A value that contains a line break would look like another field.
    if start is None or not SENDABLE.fullmatch(fields) or fields.count("\r\n") != len(headers):
        return None
    head = f"{start}{fields}\r\n"
    length = LENGTH.search(head)
    return (head, int(length[1])) if length else None


@lru_cache(64)
def _start(status: str, second: int, last: bool) -> str | None:  # noqa: FBT001 - faster without names.
    """The start of a head in this second, up to the server's own fields; None if gunicorn must write it."""
    if status.startswith(BODILESS) or not STATUS_RE.fullmatch(status):
        return None
    going = "close" if last else "keep-alive"
    fields = f"Server: {SERVER}\r\nDate: {util.http_date(second)}\r\nConnection: {going}\r\n"
    return f"HTTP/1.1 {status}\r\n{fields}"


@lru_cache(512)
def _variable(field: str) -> str:
    """The name of a field in a WSGI environment."""
    name = field.upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
