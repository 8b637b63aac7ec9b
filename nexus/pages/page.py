"""Rendering of pages: the language and the content security policy."""

from functools import partial
from typing import Any

from flask import Response, render_template, request

from nexus.i18n import locale
from nexus.pages.texts import text

#: Everything must come from our own host, no inline script or style is allowed, and images may be data URLs.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def show(template: str, **values: Any) -> Response:
    """Render a template in the language of the request, with `t` for looking up a text of `texts.py`."""
    language = locale()
    page = render_template(template, language=language, t=partial(text, language=language), **values)
    response = Response(page, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Content-Language"] = language
    response.headers["Cache-Control"] = "private, no-cache"
    response.vary.add("Accept-Language")
    response.add_etag()
    response.make_conditional(request)
    return response
