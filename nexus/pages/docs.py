"""The pages that describe the API: every call, to be tried out, and every error."""

from flask import Blueprint, Response

from nexus.errors import family
from nexus.i18n import locale, message
from nexus.pages.advice import ADVICE, FIELD_ADVICE
from nexus.pages.page import show

docs = Blueprint("docs", __name__, url_prefix="/docs")


@docs.get("")
def read_docs() -> Response:
    """The description of the API, to be tried out; the page asks no database."""
    return show("docs.html")


@docs.get("/errors")
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
        for error in sorted(family(), key=lambda error: error.status)
    ]
    fields = {code: meanings[number] for code, meanings in FIELD_ADVICE.items()}
    return show("errors.html", errors=errors, fields=fields)
