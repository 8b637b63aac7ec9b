"""The events of orders over HTTP, and concurrent status changes."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from playhouse.test_utils import assert_query_count

from tests.factories import Person


def events(person: Person, order: str) -> list[dict[str, Any]]:
    """The events of an order, as a person sees them."""
    answer = person.get(f"/api/orders/{order}/events")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.get_json()["events"]
    return found


def test_only_the_seller_sees_the_events_of_an_order(seller: Person, rival: Person, stranger: Person) -> None:
    product = seller.product()["id"]
    body = {"productId": product, "email": "buyer@example.com"}
    order = stranger.post("/api/orders", body, headers={"X-Request-Id": "place-1"}).get_json()["order"]
    path = f"/api/orders/{order['id']}"
    seller.patch(path, {"status": "processing"}, headers={"X-Request-Id": "move-1"})
    seller.patch(path, {"status": "processing"})
    seller.patch(path, {"status": "refunded"})

    with assert_query_count(2):
        placed, moved = events(seller, order["id"])

    assert placed == {
        "at": order["createdAt"],
        "from": None,
        "to": "created",
        "actor": "buyer",
        "requestId": "place-1",
    }
    assert {**moved, "at": None} == {
        "at": None,
        "from": "created",
        "to": "processing",
        "actor": "seller",
        "requestId": "move-1",
    }
    assert rival.get(f"{path}/events").status_code == stranger.get(f"{path}/events").status_code == 404
    assert seller.get("/api/orders/none/events").status_code == 404


def test_routes_below_an_order_allow_only_their_own_methods(seller: Person) -> None:
    path = f"/api/orders/{seller.order(seller.product()['id'])['id']}"

    for answer, methods in (
        (seller.patch(f"{path}/events", {}), {"GET", "HEAD", "OPTIONS"}),
        (seller.get(f"{path}/receipt"), {"POST", "OPTIONS"}),
    ):
        assert answer.status_code == 405
        assert set(answer.headers["Allow"].split(", ")) == methods


def test_an_order_and_its_events_outlive_the_product(seller: Person, stranger: Person) -> None:
    product = seller.product()
    order = stranger.order(product["id"])
    seller.delete(f"/api/products/{product['id']}")

    assert seller.patch(f"/api/orders/{order['id']}", {"status": "paid"}).status_code == 200
    assert [event["to"] for event in events(seller, order["id"])] == ["created", "paid"]
    kept = seller.get(f"/api/orders/{order['id']}").get_json()
    assert (kept["order"]["productName"], kept["product"]) == (product["name"], None)


@pytest.mark.parametrize("times", [10, pytest.param(100, marks=pytest.mark.long)])
def test_concurrent_status_changes_record_one_event(
    app: Flask, seller: Person, stranger: Person, times: int
) -> None:
    product = seller.product()["id"]
    callers = [Person(app, token=seller.token) for _ in range(16)]
    with ThreadPoolExecutor(16) as pool:
        for _ in range(times):
            order = stranger.order(product)["id"]

            def step(number: int, order: str = order) -> tuple[str, int]:
                to = ("paid", "cancelled")[number % 2]
                return to, callers[number].patch(f"/api/orders/{order}", {"status": to}).status_code

            answers = set(pool.map(step, range(16)))

            status = seller.get(f"/api/orders/{order}").get_json()["order"]["status"]
            other = {"paid": "cancelled", "cancelled": "paid"}[status]
            assert answers == {(status, 200), (other, 409)}
            assert [(one["from"], one["to"]) for one in events(seller, order)] == [
                (None, "created"),
                ("created", status),
            ]
