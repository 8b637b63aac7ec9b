"""Links in the headers of answers, and the ids in the paths of requests."""

import re
from urllib.parse import urlencode

from flask import Flask, Response, request
from werkzeug.routing import BaseConverter

from nexus.models.orders import CANONICAL

#: A cursor in a query, and a query that can stand as it is in a link: its names have nothing escaped.
CURSOR = re.compile(r"(?:^|&)cursor=[^&]*")
PLAIN = re.compile(r"[\w.~-]+=[\w.~!$'()*+,;:=@/?%-]*(?:&[\w.~-]+=[\w.~!$'()*+,;:=@/?%-]*)*", re.ASCII)

#: Characters that an old id of an order may have to be asked for by it.
LONGEST_REFERENCE = 1024


class IdConverter(BaseConverter):
    """The id of a user or product."""

    regex = "[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        """Read the id; PostgreSQL compares one beyond its bigint as a numeric, and finds nothing."""
        return int(value)


class ReferenceConverter(BaseConverter):
    """The id of an order: ours, or any text that the old system made one of, a slash in it included.

    One of ours with the name of a call behind it is that call, whatever the method.
    """

    part_isolating = False
    regex = rf"[^\0]{{1,{LONGEST_REFERENCE}}}?(?<!{CANONICAL.pattern}/events)(?<!{CANONICAL.pattern}/receipt)"


def init_app(app: Flask) -> None:
    """Make the converters known as `id` and `reference`."""
    app.url_map.converters.update(id=IdConverter, reference=ReferenceConverter)
    # Werkzeug would redirect //api/products to /api/products, which no other path does.
    app.url_map.merge_slashes = False


def link_next(response: Response, cursor: str | None) -> Response:
    """Say in a `Link` header where the next page is, if there is one."""
    if cursor is not None:
        asked = CURSOR.sub("", request.environ["QUERY_STRING"]).lstrip("&")
        plain = f"{asked}&cursor={cursor}" if PLAIN.fullmatch(asked) else None
        query = plain or urlencode({**request.args, "cursor": cursor})
        response.headers.add("Link", f'<{request.path}?{query}>; rel="next"')
    return response
