"""What is said of every request: its id, the headers of its answer, its line in the log and its time."""

import re
import sys
import time
from datetime import UTC, datetime
from uuid import uuid4

import structlog
from flask import Flask, Response, g, request
from models import database
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

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


def init_app(app: Flask) -> None:
    """Open the database for each request, and say what became of it."""

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if WELL_FORMED.fullmatch(given) else uuid4().hex
        database.connect(reuse_if_open=True)

    @app.after_request
    def tell(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        response.headers.update(SECURITY)
        if request.path.startswith("/api/products"):
            known = "Authorization" in request.headers or "Cookie" in request.headers
            response.headers["Cache-Control"] = "private, no-cache" if known else "public, no-cache"
            response.headers["Vary"] = "Authorization, Cookie"
        else:
            response.headers["Cache-Control"] = "no-store"
        seconds = time.perf_counter() - g.started
        route = request.url_rule.rule if request.url_rule else "(no route)"
        REQUESTS.labels(request.method, route, response.status_code).observe(seconds)
        log.info(
            "request",
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            method=request.method,
            route=route,
            status=response.status_code,
            ms=round(seconds * 1000, 1),
            request=g.request_id,
        )
        return response

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        if not database.is_closed():
            database.close()

    @app.get("/metrics")
    def metrics() -> Response:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
