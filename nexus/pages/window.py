"""How the row pages of one application (studio, admin) are configured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Flask, current_app

from nexus.listing.tables import Table


@dataclass(frozen=True, kw_only=True)
class Window:
    """The configuration of one application's row pages; the callables are called during requests."""

    #: The name of the blueprint that serves the pages.
    name: str
    tables: Callable[[], Mapping[str, Table]]
    #: Whether rows can be changed.
    write: bool
    #: Whether roles can be changed.
    roles: bool
    #: Whether a list can be downloaded as CSV.
    downloads: bool
    #: The CSRF token that a form must carry.
    form_token: Callable[[], str]
    #: Who makes a change, as events of orders and the audit log name them.
    actor: Callable[[], str]
    #: The e-mail address of whoever is signed in; None: nobody needs to sign in.
    person: Callable[[], str | None] = lambda: None

    def init_app(self, app: Flask) -> None:
        """Make this the window of an application's pages and templates."""
        app.extensions["window"] = self
        app.jinja_env.globals["window"] = self


def window() -> Window:
    """The window of the current application."""
    found: Window = current_app.extensions["window"]
    return found
