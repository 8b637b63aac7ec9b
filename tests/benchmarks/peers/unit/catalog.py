"""Products: lists, one, and the search."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from urllib.parse import urlencode

from flask import Blueprint, Response, abort, jsonify, request
from models import Product
from peewee import Tuple
from representations import ProductQuery, product_out
from search import found

catalog = Blueprint("catalog", __name__, url_prefix="/api/products")


@catalog.get("")
def list_products() -> Response:
    """One seller's products, newest first, or those that a search finds, best first."""
    query = ProductQuery.model_validate(request.args.to_dict())
    if query.q and query.q.strip():
        rows = found(query.q, limit=query.limit + 1)
    elif query.user_id is not None:
        products = Product.select().where(Product.user == query.user_id, Product.status == "live")
        if query.cursor is not None:
            products = products.where(Tuple(Product.created_at, Product.id) < Tuple(*place(query.cursor)))
        rows = list(products.order_by(Product.created_at.desc(), Product.id.desc()).limit(query.limit + 1))
    else:
        abort(400, "userId is required")
    page = rows[: query.limit]
    following = cursor_after(page[-1]) if len(rows) > query.limit else None
    response = jsonify(products=[product_out(product) for product in page], nextCursor=following)
    if following is not None:
        there = urlencode({**request.args, "cursor": following})
        response.headers["Link"] = f'<{request.path}?{there}>; rel="next"'
    return response


@catalog.get("/<int:product_id>")
def get_product(product_id: int) -> Response:
    """One product."""
    product = Product.get_or_none(Product.id == product_id, Product.status == "live")
    if product is None:
        abort(404)
    response = jsonify(product=product_out(product))
    response.set_etag(f"{product.id}-{round(product.updated_at.timestamp() * 1_000_000)}")
    return response


def cursor_after(product: Product) -> str:
    """Where a page ended."""
    return urlsafe_b64encode(json.dumps([product.created_at.isoformat(), product.id]).encode()).decode()


def place(cursor: str) -> tuple[datetime, int]:
    """What `cursor_after` wrote."""
    try:
        at, last = json.loads(urlsafe_b64decode(cursor))
        return datetime.fromisoformat(at), int(last)
    except (ValueError, TypeError):
        abort(400, "this is no cursor")
