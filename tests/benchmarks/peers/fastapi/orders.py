"""Orders: how one is placed, once for each key."""

import hashlib
import hmac
import os
from base64 import urlsafe_b64encode
from typing import Annotated
from uuid import UUID, uuid4

from database import Database
from fastapi import APIRouter, Header, HTTPException, Request, Response
from models import IdempotencyKey, Order, OrderEvent, Product
from schemas import NewOrder, PlacedOrder
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import joinedload

RECEIPT_KEY = os.environ["RECEIPT_KEY"].encode()

router = APIRouter(prefix="/api/orders")


@router.post("", status_code=201)
async def place_order(
    body: NewOrder,
    db: Database,
    request: Request,
    response: Response,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> PlacedOrder:
    """Order a product, with a key once; key, order and event are one transaction."""
    async with db.begin():
        product = await db.scalar(
            select(Product).where(Product.id == body.product_id, Product.status == "live")
        )
        order_id = uuid4()
        status = "paid" if product and product.price == 0 else "created"
        if idempotency_key is not None:
            key = {
                "hash": hashlib.sha256(idempotency_key.encode()).hexdigest(),
                "body": hashlib.sha256(await request.body()).hexdigest(),
                "order_id": order_id,
                "product_id": body.product_id,
                "status": status,
            }
            claim = insert(IdempotencyKey).values(key).on_conflict_do_nothing()
            if await db.scalar(claim.returning(IdempotencyKey.hash)) is None:
                response.headers["Idempotent-Replayed"] = "true"
                return answer(await placed_before(db, key["hash"], body=key["body"]), response)
        if product is None:
            raise HTTPException(404)
        order = Order(
            id=order_id,
            seller_id=product.user_id,
            product_id=product.id,
            product_name=product.name,
            email=body.email,
            name=body.name,
            status=status,
            amount=product.price,
            currency=product.currency,
            events=[OrderEvent(target=status, actor="buyer", request_id=request.state.request_id)],
        )
        db.add(order)
    return answer(order, response)


async def placed_before(db: Database, key_hash: str, *, body: str) -> Order:
    """The order of a key that was used before."""
    key = await db.get_one(IdempotencyKey, key_hash, options=[joinedload(IdempotencyKey.order)])
    if key.body != body:
        raise HTTPException(422, "this key came with another body")
    return key.order


def answer(order: Order, response: Response) -> PlacedOrder:
    """What a buyer gets."""
    response.headers["Location"] = f"/api/orders/{order.id}"
    return PlacedOrder.model_validate({"order": order, "receipt_token": receipt(order.id)})


def receipt(order_id: UUID) -> str:
    """What a buyer shows to see an order."""
    code = hmac.digest(RECEIPT_KEY, b"receipt of order " + order_id.bytes, "sha256")
    return urlsafe_b64encode(code).rstrip(b"=").decode()
