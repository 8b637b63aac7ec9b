"""Rendering errors for clients, whatever raised them."""

from typing import Any

import orjson
import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from nexus import sentry
from nexus.errors import (
    BadRequest,
    InternalError,
    MethodNotAllowed,
    NexusError,
    NotFound,
    UnsupportedMediaType,
    ValidationFailed,
)
from nexus.i18n import Locale, locale, message
from nexus.refusals import REFUSALS
from nexus.wsgi_keys import REFUSED

log = structlog.stdlib.get_logger(__name__)

#: Our errors for what Flask and Werkzeug raise themselves.
BY_STATUS: dict[int, type[NexusError]] = {
    **REFUSALS,
    404: NotFound,
    405: MethodNotAllowed,
    415: UnsupportedMediaType,
}


def ours(error: HTTPException) -> NexusError:
    """Our error for one of Flask or Werkzeug, or for a request that the server has rejected."""
    status: int = request.environ.get(REFUSED) or error.code or 500
    return BY_STATUS.get(status, BadRequest if status < 500 else InternalError)()


def problem(error: NexusError) -> Response:
    """Render an error as `application/problem+json` (RFC 9457) in the client's language."""
    language = locale()
    text = message(error.code, language)
    body: dict[str, Any] = {
        "type": f"/docs/errors#{error.code.replace('_', '-')}",
        "title": error.title,
        "status": error.status.value,
        "detail": message(error.code, "en"),
        "code": error.code,
        "requestId": g.request_id,
        "error": text,
        **error.extra,
    }
    if isinstance(error, ValidationFailed):
        body["errors"] = [_field_problem(found, language) for found in error.problems]
    if request.path.startswith("/api/auth/"):
        body["success"] = False
    response = Response(orjson.dumps(body), error.status, content_type="application/problem+json")
    response.headers.update(error.headers)
    response.headers["Content-Language"] = language
    response.vary.add("Accept-Language")
    return response


def _field_problem(found: dict[str, Any], language: Locale) -> dict[str, str]:
    text = message(f"field.{found['code']}", language).format_map(found)
    return {"field": found["field"], "code": found["code"], "message": text}


def init_app(app: Flask) -> None:
    """Render every exception of a request with `problem`."""
    app.register_error_handler(NexusError, problem)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        response = problem(ours(error))
        # Allow, Retry-After and the like belong to the exception, not to its code.
        for name, value in error.get_headers():
            if name.lower() not in ("content-type", "content-length"):
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        log.error("unforeseen error", request=g.request_id, exc_info=error)
        sentry.report(error)
        return problem(InternalError())
