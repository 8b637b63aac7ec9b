"""What platforms and monitoring ask for: liveness, readiness and metrics."""

from hmac import compare_digest

from flask import Blueprint, Response, current_app, request

from nexus import metrics
from nexus.api.endpoint import described, reply
from nexus.errors import NotFound, NotReady, Unauthenticated
from nexus.readiness import Readiness
from nexus.schemas.ops import Health

ops = Blueprint("ops", __name__)
ops.record(lambda state: state.app.extensions.update(readiness=Readiness()))


@ops.get("/healthz")
@described(answer=Health)
def healthz() -> Response:
    """Answer 200 as long as the process serves requests; nothing else is checked."""
    return reply({"status": "ok"})


@ops.get("/readyz")
@described(answer=Health, errors=(NotReady,))
def readyz() -> Response:
    """Answer 200 when the database has every migration of this code, else 503 with what is missing."""
    missing = _readiness().missing()
    if missing:
        raise NotReady(missing=missing)
    return reply({"status": "ready"})


@ops.get("/metrics")
@described(media="text/plain", scheme="metricsKey", errors=(NotFound, Unauthenticated))
def read_metrics() -> Response:
    """Return the metrics for Prometheus, to callers that present METRICS_KEY."""
    _require_key()
    missing = _readiness().missing()
    at_head = None if missing == ["database"] else not missing
    response = Response(metrics.page(at_head=at_head), content_type=metrics.CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response


def _require_key() -> None:
    settings = current_app.config["SETTINGS"]
    if settings.metrics_key:
        given = request.headers.get("Authorization", "")
        if not compare_digest(given.encode(), f"Bearer {settings.metrics_key}".encode()):
            raise Unauthenticated
    elif not settings.development:
        raise NotFound


def _readiness() -> Readiness:
    readiness: Readiness = current_app.extensions["readiness"]
    return readiness
