"""How often a request waits for PostgreSQL, counted on the wire, BEGIN and COMMIT included."""

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
    """The wire by which the application goes to its database."""
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


#: What a stranger or a seller does, and how many round trips it takes beside identity.
READS: dict[str, Callable[[Person, int], Any]] = {
    "list": lambda person, _: person.get(f"/api/products?userId={person.user['id'] if person.user else 1}"),
    "product": lambda person, product: person.get(f"/api/products/{product}"),
    "search": lambda person, _: person.get("/api/products?q=course"),
    "order": order,
    "order with a key": keyed,
}


@pytest.mark.parametrize("what", READS)
def test_a_stranger_waits_once(wire: Wire, stranger: Person, seller: Person, what: str) -> None:
    product = seller.product()["id"]
    # The first time a connection is opened, and the statement prepared.
    assert READS[what](stranger, product).status_code < 300
    del wire.asked[:]

    assert READS[what](stranger, product).status_code < 300
    assert len(wire.asked) == 1, wire.asked


@pytest.mark.parametrize("what", READS)
def test_identity_is_once_more(wire: Wire, seller: Person, what: str) -> None:
    product = seller.product()["id"]
    assert READS[what](seller, product).status_code < 300
    del wire.asked[:]

    assert READS[what](seller, product).status_code < 300
    assert len(wire.asked) == 2, wire.asked


def test_who_is_signed_in_is_one(wire: Wire, seller: Person) -> None:
    assert seller.get("/api/auth/me").status_code == 200
    del wire.asked[:]

    assert seller.get("/api/auth/me").status_code == 200
    assert len(wire.asked) == 1, wire.asked


def test_a_second_order_under_its_key_is_a_read_more(wire: Wire, stranger: Person, seller: Person) -> None:
    product, key = seller.product()["id"], {"Idempotency-Key": uuid4().hex}
    for _ in range(2):
        assert order(stranger, product, **key).status_code == 201
    del wire.asked[:]

    again = order(stranger, product, **key)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(wire.asked) == 2, wire.asked


def test_the_throttle_is_one_more(
    wire: Wire, app: Flask, stranger: Person, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = seller.product()["id"]
    monkeypatch.setitem(app.config, "RATES", {"order": Rate.parse("100/minute")})
    assert order(stranger, product).status_code == 201
    del wire.asked[:]

    assert order(stranger, product).status_code == 201
    assert len(wire.asked) == 2, wire.asked


def test_the_wire_sees_a_transaction(wire: Wire, app: Flask) -> None:
    with database.connection_context():
        del wire.asked[:]
        with database.atomic():
            database.execute_sql("SELECT 1")
    assert wire.asked[1:] == ["SELECT 1", "COMMIT"]
    assert wire.asked[0].startswith("BEGIN")
