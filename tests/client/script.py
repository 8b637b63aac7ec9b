"""A user's script, checked by mypy as strictly as everything else: every type is as expected."""

import asyncio
import sys
from typing import assert_type

from nexus.client import AsyncClient, Client
from nexus.errors import PriceChanged
from nexus.schemas.auth import UserOut
from nexus.schemas.catalog import ProductOut
from nexus.schemas.orders import ListedOrder, OrderWithProduct, PlacedOrder, Status


def sell(url: str) -> tuple[str, int]:
    """Offer a course and order it."""
    with Client(url) as shop:
        assert_type(shop.register(email="script@example.com", password="correct horse battery"), UserOut)
        course = assert_type(shop.add_product(name="Course", price=100), ProductOut)
        found = [assert_type(product, ProductOut) for product in shop.products(user_id=course["userId"])]
        assert found == [course]
        try:
            shop.place_order(product_id=course["id"], email="buyer@example.com", amount=99)
        except PriceChanged as changed:
            price: int = changed.extra["price"]
        placed = shop.place_order(product_id=course["id"], email="buyer@example.com", amount=price)
        assert_type(placed, PlacedOrder)
        return placed["order"]["id"], price


async def order_status(url: str, order_id: str) -> Status:
    """Return the status of the order, as its seller."""
    async with AsyncClient(url, timeout=20) as shop:
        await shop.sign_in(email="script@example.com", password="correct horse battery")
        async for order in shop.orders():
            assert_type(order, ListedOrder)
        one = assert_type(await shop.order(order_id), OrderWithProduct)
        return one["order"]["status"]


def main(url: str) -> None:
    """Sell something, and print the order's status and price."""
    order_id, price = sell(url)
    sys.stdout.write(f"{asyncio.run(order_status(url, order_id))} {price}\n")


if __name__ == "__main__":
    main(sys.argv[1])
