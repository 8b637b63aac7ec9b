"""Observability: an id and a log line for each request, and a warning for each slow query."""

import logging
import re
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from random import getrandbits
from typing import Any

import click
import peewee
import structlog
from flask import Request, Response
from flask.globals import _cv_app
from werkzeug.wsgi import ClosingIterator

from nexus import lines, metrics, tracing
from nexus.application import Application
from nexus.config import Settings
from nexus.db import database
from nexus.wsgi_keys import AFTERWARDS

WELL_FORMED = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
#: W3C Trace Context: version, trace, parent, flags; neither id may be all zeros, and ff is no version.
TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII
)

#: The query string in a server's log message about a request.
PRIVATE = re.compile(r"\?.*?(?= HTTP/\d|$)", re.DOTALL)

#: The standard logger and not structlog, for speed: every request is logged.
log = logging.getLogger("nexus.request")
query_log = structlog.stdlib.get_logger("nexus.query")


@dataclass
class Tally:
    """A request in progress: its id, its queries and the bytes of its response."""

    request_id: str
    traceparent: str | None
    #: Milliseconds from which a query is slow.
    slow_query: int
    started: float = field(default_factory=time.perf_counter)
    queries: int = 0
    #: Seconds.
    in_database: float = 0.0
    #: Bytes of the response body.
    sent: int = 0

    def count(self, chunk: Any) -> Any:
        """Count a chunk of a streamed body, and return it."""
        self.sent += len(chunk.encode() if isinstance(chunk, str) else chunk)
        return chunk


#: The current request of this thread. A streamed response still runs queries after Flask has dropped its `g`.
current: ContextVar[Tally | None] = ContextVar("current", default=None)


def init_app(app: Application, settings: Settings) -> None:
    """Give every request an id and a log line; must come first, before anything else can answer."""
    # If logging is configured already, as gunicorn does with our settings, this does nothing.
    logging.basicConfig(level=settings.log_level, handlers=[lines.handler(development=settings.development)])
    logging.getLogger("nexus").setLevel(settings.log_level)
    # No log line shows its source location or its thread, and finding these takes time.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # Peewee logs parameters too, which hold private data.
    logging.getLogger("peewee").setLevel(logging.INFO)
    # gunicorn logs requests that it cannot parse, and Flask's own server logs all.
    logging.getLogger("gunicorn.error").addFilter(hide_private)
    logging.getLogger("werkzeug").addFilter(uncolour)
    shown = settings.development and settings.log_level == "DEBUG"
    # Once, even if several applications are created.
    ours = [count_query, log_query] if shown else [count_query]
    database.query_hooks[:] = dict.fromkeys([*database.query_hooks, *ours])
    told = partial(tell, slow=settings.slow_request_ms, trace=tracing.recorder(settings))

    def number(request: Request) -> None:
        environ = request.environ
        given = environ.get("HTTP_X_REQUEST_ID", "")
        trace = environ.get("HTTP_TRACEPARENT", "")
        tally = Tally(
            request_id=given if WELL_FORMED.fullmatch(given) else f"{getrandbits(128):032x}",
            traceparent=trace if TRACEPARENT.fullmatch(trace) else None,
            slow_query=settings.slow_query_ms,
        )
        # This is `g`, without the lookup at each access.
        _cv_app.get().g.request_id = tally.request_id
        current.set(tally)

    def note(request: Request, response: Response) -> None:
        tally = current.get()
        if tally is None:
            # It was already logged; this is the response to a failure after that.
            return
        # Directly, since it is well-formed and Werkzeug would search it for a line break.
        response.headers._list.append(("X-Request-Id", tally.request_id))
        if tally.traceparent:
            response.headers.add("traceparent", tally.traceparent)
        rule, method = request.url_rule, request.method
        facts = {
            "method": method,
            # The route and not the path: paths and query strings can contain addresses and receipts.
            "route": rule.rule if rule else "(no route)",
            "status": response.status_code,
            "user": _cv_app.get().g.get("user_id"),
        }
        if response.is_streamed:
            # Its duration and size are known when all is sent, or the client has disconnected.
            body = response.response
            response.response = ClosingIterator(map(tally.count, body), getattr(body, "close", None))
            response.call_on_close(lambda: end(tally, facts, at_once))
        else:
            has_body = method != "HEAD" and response.status_code not in (204, 304)
            tally.sent = (response.calculate_content_length() or 0) if has_body else 0
            end(tally, facts, request.environ.get(AFTERWARDS, at_once))

    def end(tally: Tally, facts: dict[str, Any], afterwards: Callable[..., None]) -> None:
        """Let the server tell about a request that ends now, after its response if it can do that."""
        seconds = time.perf_counter() - tally.started
        afterwards(told, (tally, facts, seconds, time.time()))
        # Last, so that if telling fails at once, the error response belongs to the same request.
        current.set(None)

    app.beginning.append(number)
    app.finishing.append(note)


def at_once(do: Callable[[list[Any]], None], what: Any) -> None:
    """What happens under a server that offers nothing AFTERWARDS."""
    do([what])


def tell(
    ended: Sequence[tuple[Tally, dict[str, Any], float, float]],
    *,
    slow: int,
    trace: Callable[[dict[str, Any], float], None],
) -> None:
    """Count, trace and log finished requests: as a warning if one took `slow` milliseconds or more.

    Each is given with its facts, the seconds that it took, and its end (seconds since 1970).
    """
    usual: list[tuple[float, dict[str, Any]]] = []
    late: list[tuple[float, dict[str, Any]]] = []
    for tally, facts, seconds, at in ended:
        milliseconds = _milliseconds(seconds)
        is_late = milliseconds >= slow
        event = {
            "event": "slow request" if is_late else "request",
            **facts,
            "ms": milliseconds,
            "queries": tally.queries,
            "db_ms": _milliseconds(tally.in_database),
            "bytes": tally.sent,
            "request": tally.request_id,
        }
        if tally.traceparent:
            event["traceparent"] = tally.traceparent
        (late if is_late else usual).append((at, event))
    try:
        queries = sum(tally.queries for tally, *_ in ended)
        metrics.queried(queries, sum(tally.in_database for tally, *_ in ended))
        for _, facts, seconds, _ in ended:
            metrics.answered(facts["method"], facts["route"], facts["status"], seconds)
        for at, event in (*usual, *late):
            trace(event, at)
    finally:
        lines.write(log, logging.INFO, usual)
        lines.write(log, logging.WARNING, late)


def hide_private(record: logging.LogRecord) -> bool:
    """Remove the query string from a log line, since it can contain addresses and receipts."""
    record.msg, record.args = PRIVATE.sub("(hidden)", record.getMessage()), ()
    return True


def uncolour(record: logging.LogRecord) -> bool:
    """Remove terminal colours and line breaks, and the query string, from a line of Flask's own server."""
    record.msg, record.args = " ".join(click.unstyle(record.getMessage()).split()), ()
    return hide_private(record)


def count_query(event: peewee.QueryEvent) -> None:
    """Count a query of the current request, and log a slow one; queries of commands are not counted."""
    tally = current.get()
    if tally is None:
        return
    tally.queries += 1
    tally.in_database += event.duration
    if event.duration * 1000 >= tally.slow_query:
        query_log.warning(
            "slow query", ms=_milliseconds(event.duration), sql=_text(event), request=tally.request_id
        )


def log_query(event: peewee.QueryEvent) -> None:
    """Log a query without its parameters."""
    query_log.debug("query", ms=_milliseconds(event.duration), sql=_text(event))


def _text(event: peewee.QueryEvent) -> str:
    return " ".join(str(event.sql).split())


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
