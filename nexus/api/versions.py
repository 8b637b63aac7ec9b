"""Conditional requests: `ETag`, `If-None-Match` and `If-Match`."""

import re
from datetime import UTC, datetime, timedelta

from flask import Response, request
from werkzeug.http import quote_etag

from nexus.models.catalog import Product

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TAG = re.compile(r"([1-9][0-9]{0,18})-([0-9]{1,17})", re.ASCII)


def versioned(response: Response, product: Product) -> Response:
    """Add the product's `ETag` to a response that shows it."""
    return tagged(response, f"{product.id}-{(product.updated_at - EPOCH) // timedelta(microseconds=1)}")


def tagged(response: Response, tag: str) -> Response:
    """Add an `ETag`; a response to a read becomes 304 when the client already has that version."""
    response.headers.add("ETag", quote_etag(tag))
    known = request.if_none_match if "HTTP_IF_NONE_MATCH" in request.environ else None
    if known and request.method in ("GET", "HEAD") and (known.star_tag or known.contains_weak(tag)):
        response.status_code = 304
        response.set_data(b"")
        del response.headers["Content-Type"]
    return response


def expected_versions(product_id: int) -> list[datetime] | None:
    """The versions of a product that `If-Match` names, or None if any version will do.

    A tag of anything but this product matches nothing, and neither does a weak tag.
    """
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return None
    # Werkzeug turns an empty tag into None.
    found = [TAG.fullmatch(tag or "") for tag in request.if_match.as_set()]
    return [
        EPOCH + timedelta(microseconds=int(match[2]))
        for match in found
        if match and int(match[1]) == product_id
    ]
