"""Orders: how one is placed, once for each key."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, transaction
from django.http import Http404
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from shop.models import IdempotencyKey, Order, OrderEvent, Product
from shop.serializers import NewOrder, OrderSerializer

#: `bulk_create` can ignore a conflict as well, and does not say that there was one.
CLAIM = """
INSERT INTO idempotency_keys (hash, body, order_id, product_id, status) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""


class Mismatch(APIException):
    """A key came with another body than before."""

    status_code = 422


class OrderCreate(APIView):
    """Order a product, with a key once."""

    def post(self, request: Request) -> Response:
        """Place an order, or tell the one that the key has placed."""
        body = hashlib.sha256(request.body).hexdigest()
        wanted = NewOrder(data=request.data)
        wanted.is_valid(raise_exception=True)
        key = request.headers.get("Idempotency-Key")
        key_hash = hashlib.sha256(key.encode()).hexdigest() if key else None
        order = place(key_hash, body, request_id=request.request_id, **wanted.validated_data)
        if order is None:
            return answer(placed_before(key_hash, body), {"Idempotent-Replayed": "true"})
        return answer(order, {})


@transaction.atomic
def place(
    key_hash: str | None, body: str, *, request_id: str, productId: int, email: str, name: str | None = None
) -> Order | None:
    """Key, order and event, or nothing at all; None for a key that is taken."""
    product = Product.objects.filter(pk=productId, status="live").first()
    order_id = uuid4()
    status = "paid" if product and product.price == 0 else "created"
    if key_hash is not None:
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, (key_hash, body, order_id, productId, status))
            if cursor.rowcount == 0:
                return None
    if product is None:
        raise Http404
    order = Order.objects.create(
        id=order_id,
        seller_id=product.user_id,
        product=product,
        product_name=product.name,
        email=email,
        name=name,
        status=status,
        amount=product.price,
        currency=product.currency,
    )
    event = OrderEvent(order=order, at=order.created_at, target=status, actor="buyer", request_id=request_id)
    event.save(force_insert=True)
    return order


def placed_before(key_hash: str | None, body: str) -> Order:
    """The order of a key that was used before."""
    key = IdempotencyKey.objects.select_related("order").get(pk=key_hash)
    if key.body != body:
        raise Mismatch
    return key.order


def answer(order: Order, headers: dict[str, Any]) -> Response:
    """What a buyer gets."""
    data = {"order": OrderSerializer(order).data, "receiptToken": receipt(order.id)}
    return Response(data, 201, headers={"Location": f"/api/orders/{order.id}", **headers})


def receipt(order_id: UUID) -> str:
    """What a buyer shows to see an order."""
    code = hmac.digest(settings.RECEIPT_KEY, b"receipt of order " + order_id.bytes, "sha256")
    return urlsafe_b64encode(code).rstrip(b"=").decode()
