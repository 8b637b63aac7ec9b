"""What is said of every request: its id, the headers of its answer, its line in the log and its time."""

import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import structlog
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

WELL_FORMED = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
REQUESTS = Histogram("request_seconds", "Requests and their seconds.", ["method", "route", "status"])

structlog.configure(
    processors=[structlog.processors.JSONRenderer()],
    logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    cache_logger_on_first_use=True,
)
log = structlog.get_logger()


class Observed:
    """The middleware around all others."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve a request, and say what became of it."""
        started = time.perf_counter()
        given = request.headers.get("X-Request-Id", "")
        request.request_id = given if WELL_FORMED.fullmatch(given) else uuid4().hex
        response = self.get_response(request)
        response["X-Request-Id"] = request.request_id
        # The other headers of this kind are those of Django's own middleware.
        response["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
        if request.path.startswith("/api/products"):
            known = "Authorization" in request.headers or request.COOKIES
            response["Cache-Control"] = "private, no-cache" if known else "public, no-cache"
            patch_vary_headers(response, ("Authorization", "Cookie"))
        else:
            response["Cache-Control"] = "no-store"
        seconds = time.perf_counter() - started
        route = request.resolver_match.route if request.resolver_match else "(no route)"
        REQUESTS.labels(request.method, route, response.status_code).observe(seconds)
        log.info(
            "request",
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            method=request.method,
            route=route,
            status=response.status_code,
            ms=round(seconds * 1000, 1),
            request=request.request_id,
        )
        return response


def metrics(_: HttpRequest) -> HttpResponse:
    """Tell Prometheus the metrics of all workers."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
