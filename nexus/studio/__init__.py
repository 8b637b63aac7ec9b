"""The studio: the data in a browser, for whoever sits at this machine and runs `flask studio`."""

from uuid import uuid4

from flask import Blueprint, Flask, Response, g, request

from nexus.config import Settings
from nexus.db import database
from nexus.listing.tables import read_tables
from nexus.pages import assets
from nexus.pages.changes import changes
from nexus.pages.failing import failed
from nexus.pages.rows import serve_rows
from nexus.pages.window import Window
from nexus.studio.door import Door
from nexus.studio.files import download
from nexus.studio.roles import roles

studio = Blueprint("studio", __name__)
serve_rows(studio, home_at="/")
studio.add_url_rule("/csv/<name>", "download", download)


def create_studio(settings: Settings, door: Door, *, write: bool = False) -> Flask:
    """Make the application behind a door, over the tables that the database has at this moment.

    With `write`, rows can be changed through the methods of the models.
    """
    app = Flask("nexus.studio", static_folder=None)
    app.config.update(DEFAULT_LOCALE=settings.default_locale, CORS_ORIGINS=(), CURRENCY=settings.currency)
    tables = read_tables()
    Window(
        name=studio.name,
        tables=lambda: tables,
        write=write,
        roles=write,
        downloads=True,
        form_token=lambda: door.form_token,
        actor=lambda: "operator",
    ).init_app(app)

    @app.before_request
    def number() -> None:
        g.request_id = uuid4().hex

    app.teardown_request(lambda _: database.release())
    door.init_app(app)
    assets.init_app(app)
    app.register_blueprint(studio)
    if write:
        app.register_blueprint(changes, url_prefix="/change")
        app.register_blueprint(roles)

    @app.after_request
    def tell(response: Response) -> Response:
        if request.blueprint != "assets":
            response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    app.register_error_handler(Exception, failed)
    return app
