"""Products: lists, one, and the search."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from database import Database
from fastapi import APIRouter, HTTPException, Query, Request, Response
from models import Product
from schemas import ProductAnswer, ProductPage, ProductQuery
from search import found
from sqlalchemy import select, tuple_

router = APIRouter(prefix="/api/products")


@router.get("")
async def list_products(
    query: Annotated[ProductQuery, Query()], db: Database, request: Request, response: Response
) -> ProductPage:
    """One seller's products, newest first, or those that a search finds, best first."""
    if query.q and query.q.strip():
        rows = await found(db, query.q, limit=query.limit + 1)
    elif query.user_id is not None:
        products = select(Product).where(Product.user_id == query.user_id, Product.status == "live")
        if query.cursor is not None:
            products = products.where(tuple_(Product.created_at, Product.id) < place(query.cursor))
        newest = products.order_by(Product.created_at.desc(), Product.id.desc())
        rows = (await db.scalars(newest.limit(query.limit + 1))).all()
    else:
        raise HTTPException(400, "userId is required")
    page = rows[: query.limit]
    following = cursor_after(page[-1]) if len(rows) > query.limit else None
    if following is not None:
        there = urlencode({**request.query_params, "cursor": following})
        response.headers["Link"] = f'<{request.url.path}?{there}>; rel="next"'
    return ProductPage.model_validate({"products": page, "next_cursor": following})


@router.get("/{product_id}")
async def get_product(product_id: int, db: Database, response: Response) -> ProductAnswer:
    """One product."""
    product = await db.scalar(select(Product).where(Product.id == product_id, Product.status == "live"))
    if product is None:
        raise HTTPException(404)
    microseconds = round(product.updated_at.timestamp() * 1_000_000)
    response.headers["ETag"] = f'"{product.id}-{microseconds}"'
    return ProductAnswer.model_validate({"product": product})


def cursor_after(product: Product) -> str:
    """Where a page ended."""
    position = json.dumps([product.created_at.isoformat(), product.id])
    return urlsafe_b64encode(position.encode()).decode()


def place(cursor: str) -> tuple[datetime, int]:
    """What `cursor_after` wrote."""
    try:
        at, last = json.loads(urlsafe_b64decode(cursor))
        return datetime.fromisoformat(at), int(last)
    except (ValueError, TypeError):
        raise HTTPException(400, "this is no cursor") from None
