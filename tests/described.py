"""Checks responses against the description of the API."""

from typing import Any

from flask import Flask, Response, request

from nexus.api.openapi.document import document
from nexus.api.openapi.operations import path
from nexus.schemas.fields import Failure
from nexus.security.headers import DEFAULTS

#: Headers of HTTP itself, and those that every response has for browsers and caches.
OF_HTTP = {"Allow", "Cache-Control", "Content-Length", "Content-Type", "Vary", *DEFAULTS}
#: Headers of responses to pages of CORS_ORIGINS.
OF_CORS = {f"Access-Control-{name}" for name in ("Allow-Credentials", "Allow-Origin", "Expose-Headers")}
#: Blueprints of pages for browsers, which are not part of the API.
PAGES = {"admin", "assets", "changes", "docs"}
#: The members of every error's body.
FAILURE = set(Failure.__annotations__)


class Described:
    """The described responses of an application."""

    def __init__(self, app: Flask) -> None:
        #: The described operations by path and method, taken before a test replaces any view.
        self.paths: dict[str, Any] = document(app)["paths"]

    def hold(self, response: Response) -> None:
        """Fail for a status, media type, header, error code or member of an error that is not described."""
        if request.url_rule is None or request.method == "OPTIONS" or request.blueprint in PAGES:
            return
        operations = self.paths[path(request.url_rule)]
        responses = operations["get" if request.method == "HEAD" else request.method.lower()]["responses"]
        answer = f"{request.method} {request.url_rule.rule} {response.status_code}"
        assert str(response.status_code) in responses, answer
        described = responses[str(response.status_code)]
        assert set(response.headers.keys()) - OF_HTTP - OF_CORS <= set(described["headers"]), answer
        if response.status_code not in (204, 304):
            assert response.mimetype in described["content"], answer
        if response.mimetype == "application/problem+json":
            _, own = described["content"][response.mimetype]["schema"]["allOf"]
            body = response.get_json()
            assert body["code"] in own["properties"]["code"]["enum"], (answer, body["code"])
            assert set(body) - FAILURE <= set(own["properties"]), (answer, body)
