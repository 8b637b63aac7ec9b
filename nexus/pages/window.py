"""How the row pages of one application (studio, admin) are configured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Flask, current_app

from nexus.listing.tables import Table


@dataclass(frozen=True, kw_only=True)
class Window:
    """The pages of rows of one application; what depends on a request is asked in it."""

    #: The blueprint that serves them.
    name: str
    tables: Callable[[], Mapping[str, Table]]
    #: Whether rows can be changed by the verbs of the models.
    write: bool
    #: Whether roles can be changed.
    roles: bool
    #: Whether a list can be had as a file.
    downloads: bool
    #: What a form must bring along to change something.
    form_token: Callable[[], str]
    #: Who changes it, as events of orders and the audit say.
    actor: Callable[[], str]
    #: Who is signed in; None: nobody has to be.
    person: Callable[[], str | None] = lambda: None

    def init_app(self, app: Flask) -> None:
        """Be what the application's pages and templates look through."""
        app.extensions["window"] = self
        app.jinja_env.globals["window"] = self


def window() -> Window:
    """That of the present application."""
    found: Window = current_app.extensions["window"]
    return found
