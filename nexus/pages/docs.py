"""The pages that describe the API: every call, to be tried out, and every error."""

from flask import Blueprint, Response, redirect, url_for
from werkzeug.wrappers import Response as Redirect

from nexus.errors import NexusError, family
from nexus.i18n import locale, message
from nexus.pages.advice import ADVICE, FIELD_ADVICE
from nexus.pages.page import show

docs = Blueprint("docs", __name__)


@docs.get("/")
def lead_to_docs() -> Redirect:
    """Lead whoever asks for the server alone to what it can do."""
    return redirect(url_for(".read_docs"))


@docs.get("/docs")
def read_docs() -> Response:
    """The description of the API, to be tried out; the page asks no database."""
    return show("docs.html")


@docs.get("/docs/errors")
def read_errors() -> Response:
    """Every error, at the anchor that `type` of a problem names."""
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
    """One error for each code; some have a special case of the same code."""
    found: dict[str, type[NexusError]] = {}
    for error in family():
        found.setdefault(error.code, error)
    return found
