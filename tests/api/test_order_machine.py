"""Orders against a model of them in memory, after any sequence of actions."""

from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck
from hypothesis import settings as trials
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from werkzeug.test import TestResponse

from nexus.config import Settings
from nexus.models.steps import STEPS
from tests.api.test_events import events
from tests.factories import PASSWORD, Person, register
from tests.sql import query

PRICES = (0, 1, 4999)
KEYS = ("a" * 32, "b" * 32)
FOUND = """
SELECT o.id::text, o.status, o.amount, array_agg(e."from" ORDER BY e.id), array_agg(e."to" ORDER BY e.id)
FROM orders o JOIN order_events e ON e.order_id = o.id GROUP BY o.id
"""


@dataclass
class Known:
    """What the model knows of an order: its seller, product, amount and statuses so far."""

    seller: int
    product: int
    amount: int
    statuses: list[str]


class Orders(RuleBasedStateMachine):
    """The orders of the shop, and the model of what they should be."""

    app: Flask
    settings: Settings
    buyer: Person
    accounts = 0
    products = Bundle("products")
    orders = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        query(self.settings, "DELETE FROM orders")
        self.prices: dict[int, int] = {}
        self.model: dict[str, Known] = {}
        #: The body and the response, by account and key.
        self.kept: dict[tuple[int | None, str], tuple[dict[str, Any], bytes]] = {}
        self.change_seller()

    @initialize(target=products)
    def start(self) -> Any:
        """Start with something to order."""
        return multiple(*(self.offer(price) for price in PRICES))

    def change_seller(self) -> None:
        """Continue with a new seller."""
        Orders.accounts += 1
        self.seller = register(self.app, f"machine{Orders.accounts}@example.com")
        self.prices.clear()

    @rule(target=products, price=st.sampled_from(PRICES))
    def offer(self, price: int) -> int:
        """Offer a product."""
        number = int(self.seller.product(price=price)["id"])
        self.prices[number] = price
        return number

    @rule(product=products, price=st.sampled_from(PRICES))
    def reprice(self, product: int, price: int) -> None:
        """Set the price of a product, perhaps to the same value."""
        answer = self.seller.patch(f"/api/products/{product}", {"price": price})
        assert answer.status_code == (200 if product in self.prices else 404)
        if product in self.prices:
            self.prices[product] = price

    @rule(
        target=orders,
        product=products,
        amount=st.sampled_from((None, None, *PRICES)),
        key=st.sampled_from((None, *KEYS)),
        signed_in=st.booleans(),
    )
    def place(self, product: int, amount: int | None, key: str | None, signed_in: bool) -> Any:  # noqa: FBT001
        """Order a product, with or without a key; it may be a duplicate or an error."""
        person = self.buyer if signed_in else Person(self.app)
        body = {"productId": product, "email": "buyer@example.com"}
        if amount is not None:
            body["amount"] = amount
        answer = person.post("/api/orders", body, headers={"Idempotency-Key": key} if key else {})
        owned = (self.buyer.id if signed_in else None, key or "")
        if owned in self.kept:
            self.check_repeated(answer, body, *self.kept[owned])
            return multiple()
        if product not in self.prices:
            assert answer.status_code == 404
            return multiple()
        price = self.prices[product]
        if amount not in (None, price):
            assert (answer.status_code, answer.get_json()["price"]) == (409, price)
            return multiple()
        assert (answer.status_code, "Idempotent-Replayed" in answer.headers) == (201, False)
        if key:
            self.kept[owned] = (body, answer.data)
        order = str(answer.get_json()["order"]["id"])
        self.model[order] = Known(self.seller.id, product, price, ["created" if price else "paid"])
        return order

    def check_repeated(self, answer: TestResponse, body: Any, first: Any, data: bytes) -> None:
        """Check the response to a key that was used before."""
        if body != first:
            assert (answer.status_code, answer.get_json()["code"]) == (422, "idempotency_mismatch")
        else:
            assert (answer.status_code, answer.data) == (201, data)
            assert answer.headers["Idempotent-Replayed"] == "true"

    @precondition(lambda self: self.kept)
    @rule(number=st.integers(0, 3))
    def repeat(self, number: int) -> None:
        """Send an order again with its key, whatever happened to it."""
        owner, key = list(self.kept)[number % len(self.kept)]
        body, data = self.kept[owner, key]
        person = self.buyer if owner else Person(self.app)
        self.check_repeated(
            person.post("/api/orders", body, headers={"Idempotency-Key": key}), body, body, data
        )

    @rule(order=orders, to=st.sampled_from((*STEPS, "cancelled")))
    def move(self, order: str, to: str) -> None:
        """Change the status of an order, or try to."""
        answer = self.seller.patch(f"/api/orders/{order}", {"status": to})
        if self.model[order].seller != self.seller.id:
            assert answer.status_code == 404
            return
        taken = self.model[order].statuses
        if to in STEPS[taken[-1]]:
            taken.append(to)
        elif to != taken[-1]:
            assert answer.status_code == 409
            assert answer.get_json()["allowed"] == list(STEPS[taken[-1]])
            return
        assert answer.status_code == 200

    @precondition(lambda self: len(self.prices) > 1)
    @rule(product=products)
    def delete(self, product: int) -> None:
        """Delete a product; its orders stay."""
        there = self.prices.pop(product, None) is not None
        assert self.seller.delete(f"/api/products/{product}").status_code == (204 if there else 404)

    @precondition(lambda self: len(self.model) > 1)
    @rule()
    def delete_account(self) -> None:
        """Delete the seller's account, which open orders prevent; its orders stay."""
        answer = self.seller.delete("/api/auth/me", json={"password": PASSWORD})
        if any(known.statuses[-1] in ("created", "processing") for known in self.mine().values()):
            assert (answer.status_code, answer.get_json()["code"]) == (409, "open_orders")
        else:
            assert answer.status_code == 204
            self.change_seller()

    @invariant()
    def the_seller_sees_what_the_model_says(self) -> None:
        """The list shows every order as it is now."""
        answer = self.seller.get("/api/orders", query_string={"limit": 200})
        listed = {order.pop("id"): order for order in answer.get_json()["orders"]}
        mine = self.mine()
        assert listed.keys() == mine.keys()
        for order, known in mine.items():
            seen = [listed[order][field] for field in ("status", "amount", "productId")]
            product = known.product if known.product in self.prices else None
            assert seen == [known.statuses[-1], known.amount, product]

    def teardown(self) -> None:
        """At the end exactly the acknowledged orders exist, with all their events."""
        for order, known in self.mine().items():
            seen = [(event["from"], event["to"]) for event in events(self.seller, order)]
            assert seen == list(zip([None, *known.statuses], known.statuses, strict=False))
        found = {order: tuple(rest) for order, *rest in query(self.settings, FOUND)}
        assert found == {
            order: (known.statuses[-1], known.amount, [None, *known.statuses[:-1]], known.statuses)
            for order, known in self.model.items()
        }

    def mine(self) -> dict[str, Known]:
        """The orders of the current seller."""
        return {order: known for order, known in self.model.items() if known.seller == self.seller.id}


@pytest.mark.parametrize("examples", [5, pytest.param(60, marks=pytest.mark.long)])
def test_orders_match_a_model_in_memory(app: Flask, settings: Settings, examples: int) -> None:
    Orders.app, Orders.settings, Orders.accounts = app, settings, 0
    Orders.buyer = register(app, "buyer@example.com")
    run_state_machine_as_test(
        Orders,
        settings=trials(
            max_examples=examples,
            stateful_step_count=50,
            suppress_health_check=list(HealthCheck),
        ),
    )
