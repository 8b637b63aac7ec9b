"""`Link` headers of responses, and the converters for ids in paths."""

import re
from urllib.parse import urlencode

from flask import Flask, Response
from flask.globals import _cv_request
from werkzeug.routing import BaseConverter

from nexus.models.orders import CANONICAL

#: The cursor in a query string, and a query string that can be copied into a link: no name in it is escaped.
CURSOR = re.compile(r"(?:^|&)cursor=[^&]*")
PLAIN = re.compile(r"[\w.~-]+=[\w.~!$'()*+,;:=@/?%-]*(?:&[\w.~-]+=[\w.~!$'()*+,;:=@/?%-]*)*", re.ASCII)

#: The length up to which an order can be looked up by its old id.
LONGEST_REFERENCE = 1024


class IdConverter(BaseConverter):
    """The id of a user or product."""

    regex = "[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        """Parse the id; PostgreSQL compares one too large for a bigint as numeric, and finds nothing."""
        return int(value)


class ReferenceConverter(BaseConverter):
    """The id of an order: a UUID, or any text that the old system used as an id, even one with slashes.

    A UUID followed by `/events` or `/receipt` is always that call, whatever the method.
    """

    part_isolating = False
    regex = rf"[^\0]{{1,{LONGEST_REFERENCE}}}?(?<!{CANONICAL.pattern}/events)(?<!{CANONICAL.pattern}/receipt)"


def init_app(app: Flask) -> None:
    """Register the converters as `id` and `reference`."""
    app.url_map.converters.update(id=IdConverter, reference=ReferenceConverter)
    # Otherwise Werkzeug would redirect //api/products to /api/products; no other path redirects.
    app.url_map.merge_slashes = False


def link_next(response: Response, cursor: str | None) -> Response:
    """Add a `Link` header to the next page, if there is one."""
    if cursor is not None:
        # This is `flask.request`, without the lookup at each access.
        request = _cv_request.get().request
        asked = CURSOR.sub("", request.environ["QUERY_STRING"]).lstrip("&")
        plain = f"{asked}&cursor={cursor}" if PLAIN.fullmatch(asked) else None
        query = plain or urlencode({**request.args, "cursor": cursor})
        response.headers.add("Link", f'<{request.path}?{query}>; rel="next"')
    return response
