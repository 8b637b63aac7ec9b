"""Orders over HTTP."""

from uuid import UUID

from flask import Blueprint, Response

from nexus.api.endpoint import endpoint, reply
from nexus.api.links import link_next
from nexus.errors import InvalidTransition, NotForSale, NotFound, PriceChanged
from nexus.models.orders import Order
from nexus.models.users import User
from nexus.paging import page
from nexus.schemas.fields import spellings
from nexus.schemas.orders import (
    NewOrder,
    OrderAnswer,
    OrderPage,
    OrderQuery,
    OrderStep,
    OrderWithProduct,
    listed_order,
    order_out,
    product_of,
)

orders = Blueprint("orders", __name__, url_prefix="/orders")


@orders.post("")
@endpoint(
    body=NewOrder,
    sign_in="optional",
    answer=OrderAnswer,
    status=201,
    errors=(NotFound, NotForSale, PriceChanged),
)
def place_order(body: NewOrder, user: User | None) -> Response:
    """Order a product, signed in or not."""
    order = Order.place(
        product_id=body.product_id, email=body.email, name=body.name, amount=body.amount, buyer=user
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
    order = Order.of_seller(user).where(Order.known_as(order_id)).first() if user else None
    if order is None:
        raise NotFound
    return {"order": order_out(order), "product": product_of(order)}


@orders.patch("/<reference:order_id>")
@endpoint(body=OrderStep, sign_in="required", answer=OrderAnswer, errors=(NotFound, InvalidTransition))
def move_order(order_id: str, body: OrderStep, user: User) -> OrderAnswer:
    """Move an order to a status."""
    return {"order": order_out(Order.move(order_id, to=body.status, seller=user))}
