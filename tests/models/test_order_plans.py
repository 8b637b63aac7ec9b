"""PostgreSQL's plans for a page of orders: an index scan in the order of the list, whatever the filter."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nexus.db import database
from nexus.models.orders import Order
from nexus.models.stats import shop_sums
from nexus.models.users import User
from tests.factories import Person

#: Orders of two sellers, with enough rows that PostgreSQL plans as for a large shop.
ORDERS = """
INSERT INTO orders (seller_id, product_id, product_name, email, status, amount, currency, created_at)
SELECT CASE n %% 2 WHEN 0 THEN %(seller)s ELSE %(rival)s END, CASE n %% 10 WHEN 0 THEN %(product)s END, 'x',
       'Buyer' || n %% 20 || '@example.com', CASE n %% 6 WHEN 0 THEN 'refunded' ELSE 'paid' END, 1, 'USD',
       timestamptz '2026-01-01' + n * interval '1 s'
FROM generate_series(1, 8000) n
"""
MIDDLE = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=4000)

FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "orders_of_seller"),
    ({"status": "refunded"}, "orders_of_seller_by_status"),
    ({"emails": ("BUYER4@example.com",)}, "orders_of_email"),
    ({"created_after": MIDDLE}, "orders_of_seller"),
    ({"created_before": MIDDLE}, "orders_of_seller"),
    ({"created_after": MIDDLE, "created_before": MIDDLE + timedelta(hours=1)}, "orders_of_seller"),
    ({"status": "refunded", "created_before": MIDDLE}, "orders_of_seller_by_status"),
]


@pytest.fixture
def crowd(seller: Person, rival: Person) -> int:
    """A product of the seller, with orders for it among many others."""
    product = int(seller.product()["id"])
    with database.connection_context(), database.atomic():
        # Without events, like imported orders.
        database.execute_sql("SET LOCAL nexus.import = 'on'")
        database.execute_sql(ORDERS, {"seller": seller.id, "rival": rival.id, "product": product})
        database.execute_sql("ANALYZE orders")
    return product


def plan(query: Any) -> str:
    """PostgreSQL's plan for a query."""
    sql, values = query.sql()
    return "\n".join(line for (line,) in database.execute_sql(f"EXPLAIN {sql}", values).fetchall())


def test_a_page_of_orders_is_read_from_an_index_without_sorting(
    seller: Person, crowd: int, subtests: pytest.Subtests
) -> None:
    with database.connection_context():
        user = User.by_id(seller.id).first()
        for filters, index in [*FILTERS, ({"product_id": crowd}, "orders_of_product")]:
            first = Order.of_seller(user, **filters).limit(21)
            later = first.where(Order.created_at <= MIDDLE + timedelta(minutes=10))
            # The list joins the products; the CSV file does not need them, and must not read them.
            for query, products in ((first, True), (later, True), (later.select(Order), False)):
                with subtests.test(f"{filters}"):
                    found = plan(query)
                    assert f"Index Scan using {index} on orders" in found
                    assert "Sort" not in found
                    assert "Seq Scan on orders" not in found
                    assert ("products" in found) == products
                    if query is not first:
                        assert "created_at" in found.partition("Index Cond:")[2].partition("\n")[0]


def test_both_spellings_of_an_address_are_looked_up_in_an_index(seller: Person, crowd: int) -> None:
    with database.connection_context():
        emails = ("x@xn--bcher-kva.example", "x@bücher.example")
        found = plan(Order.of_seller(User.by_id(seller.id).first(), emails=emails).limit(21))

    assert "orders_of_email" in found
    assert "Seq Scan on orders" not in found


def test_an_order_is_found_through_an_index_by_id_and_by_old_id(seller: Person, crowd: int) -> None:
    with database.connection_context():
        user = User.by_id(seller.id).first()
        for reference, index in (("old-1", "orders_old_id"), (str(Order.select().first().id), "orders_pkey")):
            found = plan(Order.with_product().where(Order.visible_to(user, reference)))
            assert f"Index Scan using {index} on orders" in found
            assert "Seq Scan on orders" not in found


def test_the_shops_sums_are_read_by_an_index_only_scan(crowd: int) -> None:
    edges = [MIDDLE, MIDDLE + timedelta(minutes=5), MIDDLE + timedelta(minutes=10)]
    with database.connection_context(), database.atomic():
        # Which plan is cheapest depends on the last vacuum; which plans are possible does not.
        for other in ("seqscan", "bitmapscan"):
            database.execute_sql(f"SET LOCAL enable_{other} = off")
        found = plan(shop_sums(edges))

    assert "Index Only Scan using orders_by_time on orders" in found
