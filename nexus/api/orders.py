"""Orders over HTTP."""

from uuid import UUID

from flask import Blueprint, Response, g

from nexus.api.endpoint import endpoint, reply
from nexus.api.links import link_next
from nexus.errors import InvalidTransition, NotForSale, NotFound, PriceChanged, Throttled
from nexus.models.events import OrderEvent
from nexus.models.orders import Order
from nexus.models.steps import Actor
from nexus.models.users import User
from nexus.paging import page
from nexus.schemas.fields import spellings
from nexus.schemas.orders import (
    NewOrder,
    OrderAnswer,
    OrderEvents,
    OrderPage,
    OrderQuery,
    OrderStep,
    OrderWithProduct,
    event_out,
    listed_order,
    order_out,
    product_of,
)
from nexus.security import throttle

orders = Blueprint("orders", __name__, url_prefix="/orders")


@orders.post("")
@endpoint(
    body=NewOrder,
    sign_in="optional",
    answer=OrderAnswer,
    status=201,
    errors=(NotFound, NotForSale, PriceChanged, Throttled),
)
def place_order(body: NewOrder, user: User | None) -> Response:
    """Order a product, signed in or not."""
    throttle.from_address("order")
    order = Order.place(
        product_id=body.product_id,
        email=body.email,
        name=body.name,
        amount=body.amount,
        buyer=user,
        by=Actor("buyer", g.request_id),
    )
    answer: OrderAnswer = {"order": order_out(order)}
    response = reply(answer, 201)
    response.headers["Location"] = f"/api/orders/{order.id}"
    return response


@orders.get("")
@endpoint(query=OrderQuery, sign_in="required", answer=OrderPage)
def list_orders(query: OrderQuery, user: User) -> Response:
    """The orders of one's own products, newest first, each with its product."""
    filters = query.model_dump(exclude={"limit", "cursor", "email"})
    filters["emails"] = spellings(query.email) if query.email is not None else ()
    found = page(
        Order.of_seller(user, **filters),
        key=(Order.created_at, Order.id),
        kind=UUID,
        limit=query.limit,
        cursor=query.cursor,
        bound_to=("orders", user.id, filters),
    )
    answer: OrderPage = {
        "orders": [listed_order(order) for order in found.rows],
        "nextCursor": found.next_cursor,
    }
    return link_next(reply(answer), found.next_cursor)


@orders.get("/<reference:order_id>")
@endpoint(sign_in="optional", answer=OrderWithProduct, errors=(NotFound,))
def get_order(order_id: str, user: User | None) -> OrderWithProduct:
    """One order of one's own products, by its id or by the id that the old system gave it."""
    order = Order.with_product().where(Order.open_to(user, order_id)).first()
    if order is None:
        raise NotFound
    return {"order": order_out(order), "product": product_of(order)}


@orders.get("/<reference:order_id>/events")
@endpoint(sign_in="optional", answer=OrderEvents, errors=(NotFound,))
def list_events(order_id: str, user: User | None) -> OrderEvents:
    """What happened to an order, its creation first."""
    events = list(OrderEvent.of(Order.open_to(user, order_id)))
    # Every order has at least the event of its creation.
    if not events:
        raise NotFound
    return {"events": [event_out(event) for event in events]}


@orders.patch("/<reference:order_id>")
@endpoint(body=OrderStep, sign_in="required", answer=OrderAnswer, errors=(NotFound, InvalidTransition))
def move_order(order_id: str, body: OrderStep, user: User) -> OrderAnswer:
    """Move an order to a status."""
    by = Actor("seller", g.request_id)
    return {"order": order_out(Order.move(Order.open_to(user, order_id), to=body.status, by=by))}
