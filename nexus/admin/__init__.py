"""The pages for the shop's staff, in production: some of the tables, and the actions allowed on them."""

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

#: The tables that are shown here, with the same columns as in the studio.
TABLES = ("orders", "products", "users", "sessions", "order_events", "audit")

admin = Blueprint("admin", __name__, url_prefix="/admin")
admin.register_error_handler(Exception, failed)
serve_rows(admin, home_at="")
admin.add_url_rule("/sign-in", view_func=door.show_sign_in)
admin.add_url_rule("/sign-in", view_func=door.sign_in, methods=["POST"])
admin.add_url_rule("/sign-out", view_func=door.sign_out, methods=["POST"])


@admin.get("/")
def show_home() -> Redirect:
    """Redirect to the first page, whose address has no trailing slash."""
    return redirect(url_for("admin.home"), 308)


@admin.route("/<path:unknown>", methods=["GET", "POST"])
def no_such_page(**_address: str) -> Response:
    """Answer 404 with a page, instead of with JSON like the rest of the application."""
    return failed(NotFound())


#: The blueprints that only staff may use.
GUARDED = (admin.name, changes.name)


@cache
def tables() -> Mapping[str, Table]:
    """The TABLES as the database had them when they were first read; a deployment restarts the process."""
    found = read_tables()
    return {name: found[name] for name in TABLES}


def init_app(app: Application, settings: Settings) -> None:
    """Register the pages, for admins only."""
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

    def guards(request: Request) -> bool:
        # First the path, since for most requests it decides, and finding the blueprint takes longer.
        return request.path.startswith("/admin") and request.blueprint in GUARDED

    def keep_private(request: Request, response: Response) -> None:
        if guards(request):
            response.headers["Cache-Control"] = "no-store"
            response.headers["Referrer-Policy"] = "same-origin"

    app.beginning.append(lambda request: door.admit() if guards(request) else None)
    app.finishing.append(keep_private)
