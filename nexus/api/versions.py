"""Which version of a thing a client has or means: `ETag`, `If-None-Match` and `If-Match`."""

import re
from datetime import UTC, datetime, timedelta

from flask import Response, request
from werkzeug.http import quote_etag

from nexus.models.catalog import Product

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TAG = re.compile(r"([1-9][0-9]{0,18})-([0-9]{1,17})", re.ASCII)


def versioned(response: Response, product: Product) -> Response:
    """Say which version an answer with one product shows."""
    return tagged(response, f"{product.id}-{(product.updated_at - EPOCH) // timedelta(microseconds=1)}")


def tagged(response: Response, tag: str) -> Response:
    """Say which version an answer shows; a read that the client has already becomes 304."""
    response.headers.add("ETag", quote_etag(tag))
    known = request.if_none_match if "HTTP_IF_NONE_MATCH" in request.environ else None
    if known and request.method in ("GET", "HEAD") and (known.star_tag or known.contains_weak(tag)):
        response.status_code = 304
        response.set_data(b"")
        del response.headers["Content-Type"]
    return response


def versions_meant(product_id: int) -> list[datetime] | None:
    """The versions of a product that `If-Match` names, or None where any will do.

    What is no tag of this product names nothing, and a weak tag never matches.
    """
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return None
    # Of an empty tag Werkzeug makes None.
    found = [TAG.fullmatch(tag or "") for tag in request.if_match.as_set()]
    return [
        EPOCH + timedelta(microseconds=int(match[2]))
        for match in found
        if match and int(match[1]) == product_id
    ]
