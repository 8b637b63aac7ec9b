"""Orders: how one is placed, once for each key."""

import hashlib
import hmac
import os
from base64 import urlsafe_b64encode
from uuid import UUID, uuid4

from flask import Blueprint, Response, abort, g, jsonify, request
from models import IdempotencyKey, Order, OrderEvent, Product, database
from peewee import fn
from representations import NewOrder, order_out

RECEIPT_KEY = os.environ["RECEIPT_KEY"].encode()

orders = Blueprint("orders", __name__, url_prefix="/api/orders")


@orders.post("")
def place_order() -> tuple[Response, int]:
    """Order a product, with a key once; key, order and event are one transaction."""
    body = NewOrder.model_validate(request.get_json())
    key = request.headers.get("Idempotency-Key")
    with database.atomic():
        product = Product.get_or_none(Product.id == body.product_id, Product.status == "live")
        order_id, status = uuid4(), "paid" if product and product.price == 0 else "created"
        if key is not None:
            hashed = hashlib.sha256(key.encode()).hexdigest()
            asked = hashlib.sha256(request.get_data()).hexdigest()
            claim = IdempotencyKey.insert(
                hash=hashed, body=asked, order=order_id, product_id=body.product_id, status=status
            )
            if not list(claim.on_conflict_ignore().returning(IdempotencyKey.hash).execute()):
                return answer(placed_before(hashed, body=asked))
        if product is None:
            abort(404)
        insert = Order.insert(
            id=order_id,
            seller=product.user_id,
            product=product.id,
            product_name=product.name,
            email=body.email,
            name=body.name,
            status=status,
            amount=product.price,
            currency=product.currency,
        )
        # The times are PostgreSQL's.
        order = next(iter(insert.returning(Order).execute()))
        OrderEvent.insert(
            order=order.id, at=fn.now(), target=status, actor="buyer", request_id=g.request_id
        ).execute()
    return answer(order)


def placed_before(hashed: str, *, body: str) -> Order:
    """The order of a key that was used before."""
    key = IdempotencyKey.select(IdempotencyKey, Order).join(Order).where(IdempotencyKey.hash == hashed).get()
    if key.body != body:
        abort(422, "this key came with another body")
    return key.order


def answer(order: Order) -> tuple[Response, int]:
    """What a buyer gets."""
    response = jsonify(order=order_out(order), receiptToken=receipt(order.id))
    response.headers["Location"] = f"/api/orders/{order.id}"
    return response, 201


def receipt(order_id: UUID) -> str:
    """What a buyer shows to see an order."""
    code = hmac.digest(RECEIPT_KEY, b"receipt of order " + order_id.bytes, "sha256")
    return urlsafe_b64encode(code).rstrip(b"=").decode()
