"""How many round trips to PostgreSQL a request takes, counted on the wire, with BEGIN and COMMIT."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from nexus.config import Settings
from nexus.db import database
from nexus.rates import Rate
from tests.db.wire import Wire
from tests.factories import Person


@pytest.fixture
def wire(app: Flask, settings: Settings) -> Iterator[Wire]:
    """A proxy between the application and its database that records the messages."""
    assert settings.direct
    wire = Wire(settings.direct)
    database.configure(wire.url, size=1, wait=2)
    yield wire
    database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)
    wire.close()


def order(person: Person, product_id: int, **headers: str) -> Any:
    body = {"productId": product_id, "email": "buyer@example.com", "name": "B"}
    return person.post("/api/orders", body, headers=headers)


def keyed(person: Person, product_id: int) -> Any:
    return order(person, product_id, **{"Idempotency-Key": uuid4().hex})


#: Requests that take one round trip, and one more to identify a caller who is signed in.
REQUESTS: dict[str, Callable[[Person, int], Any]] = {
    "list": lambda person, _: person.get(f"/api/products?userId={person.user['id'] if person.user else 1}"),
    "product": lambda person, product: person.get(f"/api/products/{product}"),
    "search": lambda person, _: person.get("/api/products?q=course"),
    "order": order,
    "order with a key": keyed,
}


@pytest.mark.parametrize("name", REQUESTS)
def test_an_anonymous_request_takes_one_round_trip(
    wire: Wire, stranger: Person, seller: Person, name: str
) -> None:
    product = seller.product()["id"]
    # The first request opens a connection and prepares the statement.
    assert REQUESTS[name](stranger, product).status_code < 300
    del wire.asked[:]

    assert REQUESTS[name](stranger, product).status_code < 300
    assert len(wire.asked) == 1, wire.asked


@pytest.mark.parametrize("name", REQUESTS)
def test_a_signed_in_request_takes_one_more_round_trip(wire: Wire, seller: Person, name: str) -> None:
    product = seller.product()["id"]
    assert REQUESTS[name](seller, product).status_code < 300
    del wire.asked[:]

    assert REQUESTS[name](seller, product).status_code < 300
    assert len(wire.asked) == 2, wire.asked


def test_me_takes_one_round_trip(wire: Wire, seller: Person) -> None:
    assert seller.get("/api/auth/me").status_code == 200
    del wire.asked[:]

    assert seller.get("/api/auth/me").status_code == 200
    assert len(wire.asked) == 1, wire.asked


def test_a_repeated_idempotency_key_takes_two_round_trips(
    wire: Wire, stranger: Person, seller: Person
) -> None:
    product, key = seller.product()["id"], {"Idempotency-Key": uuid4().hex}
    for _ in range(2):
        assert order(stranger, product, **key).status_code == 201
    del wire.asked[:]

    again = order(stranger, product, **key)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(wire.asked) == 2, wire.asked


def test_the_throttle_takes_one_more_round_trip(
    wire: Wire, app: Flask, stranger: Person, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = seller.product()["id"]
    monkeypatch.setitem(app.config, "RATES", {"order": Rate.parse("100/minute")})
    assert order(stranger, product).status_code == 201
    del wire.asked[:]

    assert order(stranger, product).status_code == 201
    assert len(wire.asked) == 2, wire.asked


def test_begin_and_commit_are_counted(wire: Wire, app: Flask) -> None:
    with database.connection_context():
        del wire.asked[:]
        with database.atomic():
            database.execute_sql("SELECT 1")
    assert wire.asked[1:] == ["SELECT 1", "COMMIT"]
    assert wire.asked[0].startswith("BEGIN")
