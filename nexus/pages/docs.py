"""The documentation of the API: every call, to try out, and every error."""

from flask import Blueprint, Response, redirect, url_for
from werkzeug.wrappers import Response as Redirect

from nexus.errors import NexusError, family
from nexus.i18n import locale, message
from nexus.pages.advice import ADVICE, FIELD_ADVICE
from nexus.pages.page import show

docs = Blueprint("docs", __name__)


@docs.get("/")
def lead_to_docs() -> Redirect:
    """Redirect the bare address of the server to the documentation."""
    return redirect(url_for(".read_docs"))


@docs.get("/docs")
def read_docs() -> Response:
    """Show the calls of the API, to try out; the page needs no database."""
    return show("docs.html")


@docs.get("/docs/errors")
def read_errors() -> Response:
    """Show every error, at the anchor that the `type` of a problem names."""
    number = 1 if locale() == "ru" else 0
    errors = [
        {
            "code": error.code,
            "anchor": error.code.replace("_", "-"),
            "status": error.status.value,
            "says": message(error.code, locale()),
            "advice": ADVICE[error.code][number],
        }
        for error in sorted(_by_code().values(), key=lambda error: error.status)
    ]
    fields = {code: meanings[number] for code, meanings in FIELD_ADVICE.items()}
    return show("errors.html", errors=errors, fields=fields)


def _by_code() -> dict[str, type[NexusError]]:
    """One error class for each code, since a subclass may share its code."""
    found: dict[str, type[NexusError]] = {}
    for error in family():
        found.setdefault(error.code, error)
    return found
