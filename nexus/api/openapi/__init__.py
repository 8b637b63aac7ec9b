"""The OpenAPI 3.1 description, generated from the routes and from what their endpoints declare."""

from nexus.api.openapi.document import text

__all__ = ["text"]
