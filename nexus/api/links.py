"""Links in the headers of answers, and the ids in the paths of requests."""

from urllib.parse import urlencode

from flask import Flask, Response, request
from werkzeug.exceptions import NotFound
from werkzeug.routing import BaseConverter

from nexus.schemas.fields import MAX_ID


class IdConverter(BaseConverter):
    """The id of a user or product; one that PostgreSQL could not hold names nothing, and is a 404."""

    regex = "[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        """Read the id."""
        if int(value) > MAX_ID:
            # Werkzeug's own ValidationError would make it a 405 for every method but the first rule's.
            raise NotFound
        return int(value)


class ReferenceConverter(BaseConverter):
    """The id of an order: ours, or any text that the old system made one of."""

    regex = "[^/\0]{1,255}"


def init_app(app: Flask) -> None:
    """Make the converters known as `id` and `reference`."""
    app.url_map.converters.update(id=IdConverter, reference=ReferenceConverter)
    # Werkzeug would redirect //api/products to /api/products, which no other path does.
    app.url_map.merge_slashes = False


def link_next(response: Response, cursor: str | None) -> Response:
    """Say in a `Link` header where the next page is, if there is one."""
    if cursor is not None:
        query = urlencode({**request.args.to_dict(), "cursor": cursor})
        response.headers["Link"] = f'<{request.path}?{query}>; rel="next"'
    return response
