"""The events of orders over HTTP, many callers at once, and orders against a model of them in memory."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck
from hypothesis import settings as trials
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from playhouse.test_utils import assert_query_count

from nexus.models.steps import STEPS
from tests.factories import Person, register


def events(person: Person, order: str) -> list[dict[str, Any]]:
    """What happened to an order, as a person sees it."""
    answer = person.get(f"/api/orders/{order}/events")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.get_json()["events"]
    return found


def test_a_seller_sees_what_happened_to_an_order_and_nobody_else_does(
    seller: Person, rival: Person, stranger: Person
) -> None:
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


def test_an_order_outlives_its_product_with_its_events(seller: Person, stranger: Person) -> None:
    product = seller.product()
    order = stranger.order(product["id"])
    seller.delete(f"/api/products/{product['id']}")

    assert seller.patch(f"/api/orders/{order['id']}", {"status": "paid"}).status_code == 200
    assert [event["to"] for event in events(seller, order["id"])] == ["created", "paid"]
    kept = seller.get(f"/api/orders/{order['id']}").get_json()
    assert (kept["order"]["productName"], kept["product"]) == (product["name"], None)


@pytest.mark.parametrize("times", [10, pytest.param(100, marks=pytest.mark.long)])
def test_of_sixteen_callers_at_once_one_takes_the_step(
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


class Orders(RuleBasedStateMachine):
    """Orders in the shop beside what they should be."""

    app: Flask
    accounts = 0
    products = Bundle("products")
    orders = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        Orders.accounts += 1
        self.seller = register(self.app, f"machine{Orders.accounts}@example.com")
        self.prices: dict[int, int] = {}
        #: By order: its statuses so far, its amount, and its product.
        self.model: dict[str, tuple[list[str], int, int]] = {}

    @rule(target=products, price=st.sampled_from([0, 1, 4999]))
    def offer(self, price: int) -> int:
        number = int(self.seller.product(price=price)["id"])
        self.prices[number] = price
        return number

    @rule(target=orders, product=products)
    def place(self, product: int) -> str:
        body = {"productId": product, "email": "buyer@example.com"}
        answer = self.seller.post("/api/orders", body)
        if product not in self.prices:
            assert answer.status_code == 404
            return ""
        order = str(answer.get_json()["order"]["id"])
        price = self.prices[product]
        self.model[order] = (["created" if price else "paid"], price, product)
        return order

    @rule(order=orders, to=st.sampled_from(list(STEPS)))
    def move(self, order: str, to: str) -> None:
        answer = self.seller.patch(f"/api/orders/{order or 'none'}", {"status": to})
        if not order:
            assert answer.status_code == 404
            return
        taken = self.model[order][0]
        if to in STEPS[taken[-1]]:
            taken.append(to)
        elif to != taken[-1]:
            assert answer.status_code == 409
            assert answer.get_json()["allowed"] == list(STEPS[taken[-1]])
            return
        assert answer.status_code == 200

    @rule(product=products)
    def delete(self, product: int) -> None:
        there = self.prices.pop(product, None) is not None
        assert self.seller.delete(f"/api/products/{product}").status_code == (204 if there else 404)

    @invariant()
    def agree(self) -> None:
        listed = self.seller.get("/api/orders", query_string={"limit": 100}).get_json()["orders"]
        assert {order["id"] for order in listed} == self.model.keys()
        for order in listed:
            taken, amount, product = self.model[order["id"]]
            assert (order["status"], order["amount"]) == (taken[-1], amount)
            assert order["productId"] == (product if product in self.prices else None)
            seen = [(event["from"], event["to"]) for event in events(self.seller, order["id"])]
            assert seen == list(zip([None, *taken], taken, strict=False))


def test_orders_are_what_a_model_in_memory_says(app: Flask) -> None:
    Orders.app = app
    run_state_machine_as_test(
        Orders,
        settings=trials(max_examples=12, stateful_step_count=15, suppress_health_check=list(HealthCheck)),
    )
