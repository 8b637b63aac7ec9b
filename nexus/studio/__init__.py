"""The studio: a window on the data in a browser, for whoever sits at this machine and runs `flask studio`."""

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from nexus.config import Settings
from nexus.db import OUTAGES
from nexus.errors import DatabaseUnavailable, InternalError, NexusError, NotFound
from nexus.i18n import locale, message
from nexus.listing.tables import read_tables
from nexus.pages import assets
from nexus.pages.page import show
from nexus.studio.door import Door
from nexus.studio.views import studio

log = structlog.stdlib.get_logger(__name__)


def create_studio(settings: Settings, door: Door) -> Flask:
    """The application behind a door, over the tables that the database has at this moment."""
    app = Flask("nexus.studio", static_folder=None)
    app.config.update(
        DEFAULT_LOCALE=settings.default_locale,
        CORS_ORIGINS=(),
        TABLES=read_tables(),
    )
    # A template whose condition is false leaves no empty line, and one that asks for nothing is a mistake.
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    door.init_app(app)
    assets.init_app(app)
    app.register_blueprint(studio)

    @app.after_request
    def tell(response: Response) -> Response:
        if request.blueprint != "assets":
            response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        if isinstance(error, HTTPException):
            error = NotFound() if error.code in (404, 405) else InternalError()
        if isinstance(error, OUTAGES):
            error = DatabaseUnavailable("")
        if not isinstance(error, NexusError):
            log.error("unforeseen error", exc_info=error)
            error = InternalError()
        return problem(error)

    return app


def problem(error: NexusError) -> Response:
    """A failure as a page."""
    response = show("data_problem.html", says=message(error.code, locale()))
    response.status_code = error.status
    return response
