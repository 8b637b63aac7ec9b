"""The studio: a window on the data in a browser, for whoever sits at this machine and runs `flask studio`."""

from uuid import uuid4

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from nexus.config import Settings
from nexus.db import OUTAGES, reason
from nexus.db.outages import meaning
from nexus.errors import InternalError, NexusError, NotFound
from nexus.i18n import locale, message
from nexus.listing.tables import read_tables
from nexus.pages import assets
from nexus.pages.page import show
from nexus.studio.changes import changes
from nexus.studio.door import Door
from nexus.studio.views import studio

log = structlog.stdlib.get_logger(__name__)


def create_studio(settings: Settings, door: Door, *, write: bool = False) -> Flask:
    """The application behind a door, over the tables that the database has at this moment.

    `write` lets rows be changed by the verbs of the models.
    """
    app = Flask("nexus.studio", static_folder=None)
    app.config.update(
        DEFAULT_LOCALE=settings.default_locale,
        CORS_ORIGINS=(),
        TABLES=read_tables(),
        WRITE=write,
    )
    # The pages of rows may be served by others too, and link to those of who serves them.
    app.jinja_env.globals.update(here=studio.name, form_token=door.form_token)

    @app.before_request
    def number() -> None:
        g.request_id = uuid4().hex

    door.init_app(app)
    assets.init_app(app)
    app.register_blueprint(studio)
    if write:
        app.register_blueprint(changes)

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
            log.error("database unavailable", reason=reason(error))
            error = meaning(error)
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
