"""Orders over HTTP."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, g

from nexus.api.endpoint import endpoint, reply
from nexus.api.links import link_next
from nexus.errors import (
    IdempotencyInProgress,
    IdempotencyMismatch,
    InvalidTransition,
    NotForSale,
    NotFound,
    PriceChanged,
    Throttled,
)
from nexus.models.catalog import DRAFT
from nexus.models.events import OrderEvent
from nexus.models.idempotency import IdempotencyKey, Key
from nexus.models.orders import Order
from nexus.models.steps import BUYER_STEPS, Actor
from nexus.models.users import User
from nexus.paging import page
from nexus.schemas.orders import (
    NewOrder,
    OrderAnswer,
    OrderEvents,
    OrderPage,
    OrderQuery,
    OrderStep,
    OrderWithProduct,
    PlacedOrder,
    ReceiptAnswer,
    event_out,
    listed_order,
    order_out,
    product_of,
)
from nexus.security import receipts, throttle

orders = Blueprint("orders", __name__, url_prefix="/orders")


@orders.post("")
@endpoint(
    body=NewOrder,
    sign_in="optional",
    idempotent=True,
    answer=PlacedOrder,
    status=201,
    errors=(NotFound, NotForSale, PriceChanged, Throttled, IdempotencyMismatch, IdempotencyInProgress),
    headers=("Location",),
)
def place_order(body: NewOrder, user: User | None, key: Key | None) -> Response:
    """Order a product, signed in or not; with an `Idempotency-Key`, only once."""
    throttle.from_address("order")
    wanted: dict[str, Any] = {**vars(body), "buyer": user, "by": Actor("buyer", g.request_id)}
    order, replayed = IdempotencyKey.place(key, **wanted) if key else (Order.place(**wanted), False)
    answer: PlacedOrder = {"order": order_out(order), "receiptToken": receipts.issue(order.id)}
    response = reply(answer, 201)
    # `add` and not `set`, which would search for a header that is not there yet.
    response.headers.add("Location", f"/api/orders/{answer['order']['id']}")
    response.headers.add("Cache-Control", "no-store")
    if replayed:
        response.headers.add("Idempotent-Replayed", "true")
    return response


@orders.get("")
@endpoint(query=OrderQuery, sign_in="required", answer=OrderPage, headers=("Link",))
def list_orders(query: OrderQuery, user: User) -> Response:
    """List the orders of the signed-in seller, newest first, each with its product."""
    filters = query.conditions()
    listed = Order.of_seller(user, **filters)
    bound_to = ("orders", user.id, filters)
    found = page(listed, kind=UUID, limit=query.limit, cursor=query.cursor, bound_to=bound_to)
    answer: OrderPage = {"orders": [*map(listed_order, found.rows)], "nextCursor": found.next_cursor}
    return link_next(reply(answer), found.next_cursor)


@orders.get("/<reference:order_id>")
@endpoint(sign_in="optional", receipt=True, answer=OrderWithProduct, errors=(NotFound,))
def get_order(order_id: str, user: User | None, receipt: str | None) -> OrderWithProduct:
    """Return one order with its product, by its id or by its id in the old system."""
    which, _ = _asked_for(order_id, user=user, receipt=receipt)
    order = Order.with_product().where(which).first()
    if order is None:
        raise NotFound
    # Only its owner may see a draft.
    hidden = receipt is not None and order.product and order.product.status == DRAFT
    return {"order": order_out(order), "product": None if hidden else product_of(order)}


@orders.get("/<reference:order_id>/events")
@endpoint(sign_in="optional", receipt=True, answer=OrderEvents, errors=(NotFound,))
def list_events(order_id: str, user: User | None, receipt: str | None) -> OrderEvents:
    """List the events of an order, its creation first."""
    which, _ = _asked_for(order_id, user=user, receipt=receipt)
    events = list(OrderEvent.of(which))
    # Every order has at least the event of its creation.
    if not events:
        raise NotFound
    return {"events": [event_out(event) for event in events]}


@orders.patch("/<reference:order_id>")
@endpoint(
    body=OrderStep,
    sign_in="required",
    receipt=True,
    answer=OrderAnswer,
    errors=(NotFound, InvalidTransition),
)
def move_order(order_id: str, body: OrderStep, user: User | None, receipt: str | None) -> OrderAnswer:
    """Move an order to another status."""
    which, by = _asked_for(order_id, user=user, receipt=receipt)
    return {"order": order_out(Order.move(which, to=body.status, by=by))}


@orders.post("/<reference:order_id>/receipt")
@endpoint(sign_in="required", answer=ReceiptAnswer, errors=(NotFound,))
def issue_receipt(order_id: str, user: User) -> Response:
    """Return the receipt of one of the seller's orders, for a buyer who lost it or never had one."""
    order = Order.select(Order.id).where(Order.visible_to(user, order_id)).first()
    if order is None:
        raise NotFound
    answer: ReceiptAnswer = {"receiptToken": receipts.issue(order.id)}
    response = reply(answer)
    response.headers["Cache-Control"] = "no-store"
    return response


def _asked_for(reference: str, *, user: User | None, receipt: str | None) -> tuple[Any, Actor]:
    """A condition for the order, if the caller may see it, and the caller's role; NotFound for anyone else.

    A caller who presents a receipt is the buyer, signed in or not.
    """
    if receipt is not None:
        buyer = Actor("buyer", g.request_id, BUYER_STEPS)
        return Order.id == receipts.order_of(receipt, reference), buyer
    return Order.visible_to(user, reference), Actor("seller", g.request_id)
