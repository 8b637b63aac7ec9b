"""Pages of a seller's orders, with any filter, while orders are added and removed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st

from nexus.db import database
from nexus.models.orders import Order
from nexus.models.steps import STEPS
from tests.factories import Person, register

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
#: Times that are equal, and times that differ by less than the API's milliseconds.
ROWS = st.lists(st.tuples(st.sampled_from(list(STEPS)), st.integers(0, 3)), max_size=12)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(list(STEPS)),
        "email": st.just("BUYER@example.com"),
        "createdAfter": st.just("2025-12-31T23:59:59Z"),
        "createdBefore": st.just("2026-01-02T00:00:00Z"),
    },
)


def sell(seller: Person, rows: Any) -> dict[str, str]:
    """Insert orders, and return the status of each by its id."""
    with database.connection_context():
        placed = [
            Order.written(
                Order.insert(
                    seller=seller.id,
                    product_name="Course",
                    email="buyer@example.com",
                    status=status,
                    amount=1,
                    currency="USD",
                    created_at=MOMENT + timedelta(microseconds=moment),
                )
            )[0]
            for status, moment in rows
        ]
    return {str(order.id): order.status for order in placed}


@pytest.fixture
def crowded(app: Flask) -> Person:
    """A seller whose orders the next test adds and removes again and again."""
    return register(app, "crowded@example.com")


@trials(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(rows=ROWS, came=ROWS, asked=FILTERS, size=st.integers(1, 5), data=st.data())
def test_pages_neither_skip_nor_repeat_rows_during_changes(
    crowded: Person, rows: Any, came: Any, asked: dict[str, str], size: int, data: st.DataObject
) -> None:
    with database.connection_context():
        Order.delete().execute()
    there = sell(crowded, rows)
    gone = set(data.draw(st.lists(st.sampled_from(sorted(there)), unique=True))) if there else set()
    coming, leaving = list(came), sorted(gone)

    seen: list[str] = []
    path, asks = "/api/orders", {"query_string": {**asked, "limit": size}}
    while path:
        answer = crowded.get(path, **asks)
        asks = {}
        seen += [order["id"] for order in answer.get_json()["orders"]]
        path = answer.headers.get("Link", "").removeprefix("<").partition(">")[0]
        if coming:
            sell(crowded, [coming.pop()])
        with database.connection_context():
            Order.delete().where(Order.id.in_([leaving.pop()] if leaving else [])).execute()

    status = asked.get("status")
    stayed = {order for order, born in there.items() if order not in gone and status in (None, born)}
    assert len(seen) == len(set(seen))
    assert stayed <= set(seen)
    if not came:
        assert set(seen) <= {order for order, born in there.items() if status in (None, born)}


@pytest.mark.parametrize(
    "other", ["", "status=paid", "email=a@example.com", "productId=1", "createdAfter=2025-01-01T00:00:00Z"]
)
def test_a_cursor_is_valid_only_for_its_filter(seller: Person, other: str) -> None:
    sell(seller, [("created", 0)] * 2)
    path = "/api/orders?limit=1&createdBefore=2026-01-02T00:00:00Z"
    cursor = seller.get(path).get_json()["nextCursor"]

    assert len(seller.get(f"{path}&cursor={cursor}").get_json()["orders"]) == 1
    answer = seller.get(f"/api/orders?limit=1&{other}&cursor={cursor}")
    assert (answer.status_code, answer.get_json()["errors"][0]["code"]) == (400, "not_a_cursor")


def test_a_cursor_is_valid_only_for_its_list_and_seller(seller: Person, rival: Person) -> None:
    for person in (seller, rival):
        sell(person, [("paid", 0)] * 3)
    cursor = seller.get("/api/orders?limit=1").get_json()["nextCursor"]

    assert seller.get(f"/api/orders?limit=2&cursor={cursor}").status_code == 200
    for person, path in ((rival, "/api/orders?"), (seller, f"/api/products?userId={seller.id}&")):
        answer = person.get(f"{path}limit=1&cursor={cursor}")
        assert (answer.status_code, answer.get_json()["errors"][0]["code"]) == (400, "not_a_cursor")


@pytest.mark.parametrize("limit", ["0", "201", "-1", "1.5", "x", ""])
def test_a_page_size_outside_1_to_200_is_refused(seller: Person, limit: str) -> None:
    for path in ("/api/orders?", f"/api/products?userId={seller.id}&", "/api/products?q=course&"):
        answer = seller.get(f"{path}limit={limit}")
        assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (400, "limit"), path
