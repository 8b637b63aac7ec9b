"""Failures as pages, for people in a browser."""

import structlog
from flask import Response, g
from werkzeug.exceptions import HTTPException

from nexus import sentry
from nexus.db import UNAVAILABLE, unavailable
from nexus.errors import InternalError, NexusError
from nexus.i18n import locale, message
from nexus.pages.page import show
from nexus.problems import ours

log = structlog.stdlib.get_logger(__name__)


def failed(error: Exception) -> Response:
    """Show any failure as a page, and log it unless it is one of our own errors."""
    if isinstance(error, HTTPException):
        error = ours(error)
    if isinstance(error, UNAVAILABLE):
        error = unavailable(error)
    if not isinstance(error, NexusError):
        log.error("unforeseen error", request=g.request_id, exc_info=error)
        sentry.report(error)
        error = InternalError()
    response = show("data_problem.html", says=message(error.code, locale()))
    response.status_code = error.status
    response.headers.update(error.headers)
    return response
