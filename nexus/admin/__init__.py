"""The pages of the shop's own people, in production: some of the tables, and what may be done about them."""

from collections.abc import Mapping
from functools import cache

from flask import Blueprint, Request, Response, redirect, url_for
from werkzeug.wrappers import Response as Redirect

from nexus.admin import door
from nexus.application import Application
from nexus.config import Settings
from nexus.errors import NotFound
from nexus.listing.tables import Table, read_tables
from nexus.pages.changes import changes
from nexus.pages.failing import failed
from nexus.pages.rows import serve_rows
from nexus.pages.window import Window

#: Every table that is seen here; of each, the columns that the studio shows.
TABLES = ("orders", "products", "users", "sessions", "order_events", "audit")

admin = Blueprint("admin", __name__, url_prefix="/admin")
admin.register_error_handler(Exception, failed)
serve_rows(admin, home_at="")
admin.add_url_rule("/sign-in", view_func=door.show_sign_in)
admin.add_url_rule("/sign-in", view_func=door.sign_in, methods=["POST"])
admin.add_url_rule("/sign-out", view_func=door.sign_out, methods=["POST"])


@admin.get("/")
def show_home() -> Redirect:
    """Lead to the first page, whose address ends without a stroke."""
    return redirect(url_for("admin.home"), 308)


@admin.route("/<path:unknown>", methods=["GET", "POST"])
def no_such_page(**_address: str) -> Response:
    """Tell staff so on a page, instead of in JSON as the rest of the application would."""
    return failed(NotFound())


#: Blueprints that answer nobody but staff.
GUARDED = (admin.name, changes.name)


@cache
def tables() -> Mapping[str, Table]:
    """What the database had of TABLES at the first look; a release that changes them starts anew."""
    found = read_tables()
    return {name: found[name] for name in TABLES}


def init_app(app: Application, settings: Settings) -> None:
    """Serve the pages to admins."""
    door.init_app(app, settings)
    Window(
        name=admin.name,
        tables=tables,
        write=True,
        roles=False,
        downloads=False,
        form_token=door.form_token,
        actor=door.actor,
        person=door.person,
    ).init_app(app)
    app.register_blueprint(admin)
    app.register_blueprint(changes, url_prefix="/admin/change")

    def admit(request: Request) -> Redirect | None:
        return door.admit() if request.blueprint in GUARDED else None

    def keep_private(request: Request, response: Response) -> None:
        if request.blueprint in GUARDED:
            response.headers["Cache-Control"] = "no-store"
            response.headers["Referrer-Policy"] = "same-origin"

    app.beginning.append(admit)
    app.finishing.append(keep_private)
