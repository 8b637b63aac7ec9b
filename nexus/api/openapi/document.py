"""The whole document: every route with a declaration, and the components that its operations refer to."""

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

#: The version of the API, not of the code.
VERSION = "1.0.0"

ABOUT = (
    "Sellers offer digital products, buyers order them. Money is a whole number of the currency's smallest "
    "unit. A whole number may also be sent as a string of digits, and a null field counts as left out. "
    "A repeated query parameter is refused. HEAD works wherever GET does."
)

SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The `token` that signing in returns.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "The same token, as browsers get it. A request that changes something must come from "
        "a page of this service, or of a site that it allows.",
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
        "description": "The `receiptToken` of the order, for use in a link.",
    },
    "metricsKey": {"type": "http", "scheme": "bearer", "description": "`METRICS_KEY`."},
}


def text(app: Flask) -> bytes:
    """The document as JSON, built once per process."""
    if "openapi" not in app.extensions:
        app.extensions["openapi"] = orjson.dumps(document(app))
    built: bytes = app.extensions["openapi"]
    return built


#: The parts of the API, in the order in which a reader needs them.
TAGS = {
    "auth": "Accounts and sessions.",
    "products": "Products on offer.",
    "orders": "Orders and their status.",
    "stats": "Sales statistics.",
    "service": "The service itself.",
}


def document(app: Flask) -> Description:
    """The document; a route whose view has no declaration is left out."""
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
