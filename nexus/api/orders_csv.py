"""Orders as a CSV file, over HTTP."""

from collections.abc import Iterator
from itertools import chain
from typing import Any
from uuid import UUID

from flask import Blueprint, Response

from nexus.api.endpoint import endpoint
from nexus.db import database
from nexus.errors import NotFound, Unauthenticated
from nexus.models.catalog import Product
from nexus.models.orders import Order
from nexus.models.users import User
from nexus.paging import page
from nexus.schemas.orders import OrderFilter
from nexus.schemas.orders_csv import csv_pieces

orders_csv = Blueprint("orders_csv", __name__)

#: How many orders are in memory at a time.
BATCH = 1000


@orders_csv.get("/orders.csv")
@endpoint(query=OrderFilter, sign_in="required", media="text/csv", headers=("Content-Disposition",))
def download_orders(query: OrderFilter, user: User) -> Response:
    """Return the orders of the signed-in seller as CSV, newest first."""
    batches = _batches(user, query.conditions())
    # The first batch is read before anything is sent, so that a failure in it is an error response as usual.
    first = next(batches)
    response = Response(
        csv_pieces(chain([first], batches)), content_type="text/csv; charset=utf-8; header=present"
    )
    response.headers["Content-Disposition"] = 'attachment; filename="orders.csv"'
    return response


def _batches(seller: User, filters: dict[str, Any]) -> Iterator[list[Order]]:
    """All orders, batch by batch; a client that reads slowly holds no database connection in between.

    On a failure midway the server drops the connection, so that no client takes a part for the whole.
    """
    cursor = None
    while True:
        with database.connection_context():
            found = page(
                # Without the products' columns PostgreSQL drops the join.
                Order.of_seller(seller, **filters).select(Order),
                kind=UUID,
                limit=BATCH,
                cursor=cursor,
                bound_to="orders.csv",
            )
            if not found.rows:
                _refuse_deleted(seller, filters["product_id"] if cursor else None)
        yield found.rows
        cursor = found.next_cursor
        if cursor is None:
            return


def _refuse_deleted(seller: User, product_id: int | None) -> None:
    """Raise an error if the account or the product was deleted, which takes all its orders from the list.

    It takes them at once, so a batch that has any order has all of them, and only an empty one is in doubt.
    """
    if User.by_id(seller.id).first() is None:
        raise Unauthenticated
    if product_id is not None and Product.select().where(Product.id == product_id).first() is None:
        raise NotFound
