"""What is said of every request: its id, the headers of its answer, its line in the log and its time."""

import re
import sys
import time
from datetime import UTC, datetime
from uuid import uuid4

import structlog
from fastapi import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

WELL_FORMED = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}
REQUESTS = Histogram("request_seconds", "Requests and their seconds.", ["method", "route", "status"])

structlog.configure(
    processors=[structlog.processors.JSONRenderer()],
    logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    cache_logger_on_first_use=True,
)
log = structlog.get_logger()


class Observed:
    """The middleware; a plain one of ASGI, as Starlette advises."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and say what became of it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        given = Headers(scope=scope)
        request_id = given.get("X-Request-Id", "")
        if not WELL_FORMED.fullmatch(request_id):
            request_id = uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        status = 500

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers.update(SECURITY)
                if scope["path"].startswith("/api/products"):
                    known = "Authorization" in given or "Cookie" in given
                    headers["Cache-Control"] = "private, no-cache" if known else "public, no-cache"
                    headers["Vary"] = "Authorization, Cookie"
                else:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        try:
            await self.app(scope, receive, tell)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "(no route)")
            REQUESTS.labels(scope["method"], route, status).observe(seconds)
            log.info(
                "request",
                at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                method=scope["method"],
                route=route,
                status=status,
                ms=round(seconds * 1000, 1),
                request=request_id,
            )


def metrics_page() -> Response:
    """The metrics of all workers."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
