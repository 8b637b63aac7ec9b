"""The whole document: every route that declares something, and what its operations refer to."""

from collections.abc import Iterator

import orjson
from flask import Flask
from werkzeug.routing import Rule

from nexus.api.endpoint import Endpoint
from nexus.api.openapi.headers import SENT, TAKEN, header, parameter
from nexus.api.openapi.models import Models
from nexus.api.openapi.operations import operation, path
from nexus.schemas.ops import Description
from nexus.security.tokens import COOKIE

#: Of the API, whatever the version of the code.
VERSION = "1.0.0"

ABOUT = (
    "Sellers offer digital products, buyers order them. Money is a whole number of the currency's smallest "
    "unit. A whole number may also be sent as a text of digits, and a field that is null counts as left out. "
    "A query parameter that stands twice is refused. Where GET is taken, HEAD is too."
)

SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The `token` that signing in answers.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "The same token, as browsers get it. What changes something must come from a page of "
        "this service, or of a site that it allows.",
    },
    "receipt": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`Receipt`, a space, and the `receiptToken` of the order.",
    },
    "receiptLink": {
        "type": "apiKey",
        "in": "query",
        "name": "receipt",
        "description": "The `receiptToken` of the order, where it must be a link.",
    },
    "metricsKey": {"type": "http", "scheme": "bearer", "description": "`METRICS_KEY`."},
}


def text(app: Flask) -> bytes:
    """The document as JSON; it is built once in a process."""
    if "openapi" not in app.extensions:
        app.extensions["openapi"] = orjson.dumps(document(app))
    built: bytes = app.extensions["openapi"]
    return built


#: The parts of the API, in the order in which somebody needs them.
TAGS = {
    "auth": "Accounts and sessions.",
    "products": "What is on offer.",
    "orders": "What is ordered.",
    "stats": "What was sold.",
    "service": "The service itself.",
}


def document(app: Flask) -> Description:
    """The description; a route whose view declares nothing is left out."""
    routes = list(_routes(app))
    models = Models([declared for _, _, declared in routes])
    paths: dict[str, dict[str, object]] = {}
    for rule, method, declared in routes:
        view = app.view_functions[rule.endpoint]
        described = operation(rule, method, declared, view=view, models=models)
        paths.setdefault(path(rule), {})[method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "Nexus", "version": VERSION, "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, about in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": models.components,
            "parameters": {name: parameter(name) for name in TAKEN},
            "headers": {name: header(name) for name in SENT},
            "securitySchemes": SECURITY,
        },
    }


def _routes(app: Flask) -> Iterator[tuple[Rule, str, Endpoint]]:
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        declared = getattr(app.view_functions[rule.endpoint], "endpoint", None)
        if declared:
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield rule, method, declared
