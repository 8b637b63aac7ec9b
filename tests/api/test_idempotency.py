"""Orders with an `Idempotency-Key`: placed once, answered every time, and disclosed to nobody else."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playhouse.test_utils import assert_query_count
from werkzeug.test import TestResponse

from nexus.config import Settings
from nexus.db import database
from nexus.db.connection import connect
from nexus.models.idempotency import KEY_WAIT
from tests.environment import flask
from tests.factories import PASSWORD, Person
from tests.locks import until_someone_waits
from tests.sql import query

KEY = "7f0c2a52-6d1e-4a3f-9c55-0b7e1d9f4a10"
COUNT = "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM idempotency_keys)"


def body(product: int, **fields: Any) -> dict[str, Any]:
    """The body of an order for a product."""
    return {"productId": product, "email": "buyer@example.com", **fields}


def place(person: Person, order: Any, *, key: str = KEY) -> TestResponse:
    """Place an order with a key."""
    return person.post("/api/orders", order, headers={"Idempotency-Key": key})


def code(answer: TestResponse) -> str:
    """The error code of a response."""
    return str(answer.get_json()["code"])


@contextmanager
def in_progress(settings: Settings, *, commit: bool) -> Iterator[None]:
    """Pretend that the only order is still being placed with its key while the block runs."""
    with closing(connect(settings.direct, wait=5)) as connection:
        cursor = connection.cursor()
        cursor.execute("DELETE FROM idempotency_keys RETURNING hash, body, order_id, product_id, status")
        columns = cursor.fetchone()
        connection.autocommit = False
        cursor.execute(
            "INSERT INTO idempotency_keys (hash, body, order_id, product_id, status) VALUES %s", (columns,)
        )
        yield
        if commit:
            connection.commit()
        connection.rollback()


def test_a_replay_is_identical_whatever_happened_to_the_order(
    settings: Settings, seller: Person, stranger: Person
) -> None:
    product = seller.product(price=1000)["id"]
    wanted = body(product, name="Иван \u2028 \U0001f600", amount=1000)
    with assert_query_count(1):
        first = place(stranger, wanted)
    path = f"/api/orders/{first.get_json()['order']['id']}"

    assert (first.status_code, first.headers["Location"]) == (201, path)
    assert "Idempotent-Replayed" not in first.headers
    for method, where, change in (
        ("PATCH", path, {"status": "processing"}),
        ("PATCH", path, {"status": "paid"}),
        ("PATCH", f"/api/products/{product}", {"price": 2000, "name": "Another"}),
        ("PATCH", f"/api/products/{product}", {"status": "draft"}),
        ("DELETE", f"/api/products/{product}", None),
        ("DELETE", "/api/auth/me", {"password": PASSWORD}),
    ):
        assert seller.request(method, where, json=change).status_code in (200, 204)
        with assert_query_count(2):
            again = place(stranger, wanted)
        assert (again.status_code, again.data) == (201, first.data)
        assert (again.headers["Location"], again.headers["Idempotent-Replayed"]) == (path, "true")
    assert query(settings, COUNT) == [(1, 1)]


def test_the_response_is_the_same_with_and_without_a_key(seller: Person, stranger: Person) -> None:
    free = seller.product(price=0)["id"]
    with_key, without = place(stranger, body(free)).get_json(), stranger.order(free)

    own = ("id", "createdAt", "updatedAt")
    assert {**with_key["order"], **{name: without[name] for name in own}} == without
    assert place(stranger, body(free)).get_json() == with_key


def test_bodies_are_compared_as_json_values(settings: Settings, seller: Person, stranger: Person) -> None:
    product = seller.product(price=1000)["id"]
    first = place(stranger, body(product, name="A", amount=1000))

    spaced = json.dumps(dict(reversed(body(product, name="A", amount=1000).items())), indent=3)
    headers = {"Idempotency-Key": KEY}
    same = stranger.request(
        "POST", "/api/orders", data=spaced, content_type="application/json", headers=headers
    )
    assert same.data == first.data
    for other in (
        body(product, name="A"),
        body(product, name="B", amount=1000),
        body(product, name="A", amount="1000"),
        body(product, name="A", amount=999),
        body(product, amount=1000, name=None),
        body(product + 1, name="A", amount=1000),
    ):
        answer = place(stranger, other)
        assert (answer.status_code, code(answer)) == (422, "idempotency_mismatch")
    assert query(settings, COUNT) == [(1, 1)]


def test_a_key_does_not_replay_the_order_of_another(seller: Person, rival: Person, stranger: Person) -> None:
    wanted = body(seller.product()["id"])
    answers = [place(person, wanted) for person in (seller, rival, stranger)]

    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert len({answer.get_json()["order"]["id"] for answer in answers}) == 3
    assert not any("Idempotent-Replayed" in answer.headers for answer in answers)
    # Not even with a key that looks as it might be stored.
    assert "Idempotent-Replayed" not in place(rival, wanted, key=f"{seller.id}{KEY}").headers


def test_a_malformed_key_is_refused(settings: Settings, seller: Person, stranger: Person) -> None:
    wanted = body(seller.product()["id"])
    field = "Idempotency-Key"

    for person, key, found in (
        (seller, "", "too_short"),
        (stranger, "x" * 31, "too_short"),
        (stranger, "x" * 256, "too_long"),
        (seller, "x" * 256, "too_long"),
        # What HTTP makes of a header that was sent twice.
        (seller, f"{KEY},{KEY}", "repeated"),
    ):
        answer = place(person, wanted, key=key)
        assert (answer.status_code, code(answer)) == (400, "validation_failed")
        assert [(one["field"], one["code"]) for one in answer.get_json()["errors"]] == [(field, found)]
    assert query(settings, COUNT) == [(0, 0)]
    for person, key in ((seller, "x"), (stranger, "x" * 32), (stranger, "ключ" * 63)):
        assert place(person, wanted, key=key.encode().decode("latin-1")).status_code == 201
    # Errors in the body take precedence.
    wrong = place(stranger, {**wanted, "email": "nobody"}, key="x")
    assert [one["field"] for one in wrong.get_json()["errors"]] == ["email"]


def test_a_failed_order_does_not_use_up_its_key(settings: Settings, seller: Person, stranger: Person) -> None:
    product = seller.product(price=1000, status="draft")["id"]
    wanted = body(product, amount=2000)

    assert place(stranger, {**wanted, "email": ""}).status_code == 400
    assert place(stranger, wanted).status_code == 404
    assert code(place(seller, wanted)) == "not_for_sale"
    seller.patch(f"/api/products/{product}", {"status": "live"})
    refused = place(stranger, wanted)
    assert (refused.status_code, code(refused), refused.get_json()["price"]) == (409, "price_changed", 1000)
    assert query(settings, COUNT) == [(0, 0)]
    seller.patch(f"/api/products/{product}", {"price": 2000})
    assert place(stranger, wanted).status_code == place(stranger, wanted).status_code == 201
    assert query(settings, COUNT) == [(1, 1)]


def test_other_calls_ignore_the_header(seller: Person) -> None:
    headers = {"Idempotency-Key": ""}
    offered = [
        seller.post("/api/products", {"name": name, "price": 1}, headers=headers) for name in ("A", "B")
    ]
    assert [answer.status_code for answer in offered] == [201, 201]


def test_a_concurrent_duplicate_waits_and_replays_the_first(
    settings: Settings, seller: Person, stranger: Person
) -> None:
    product = seller.product(price=1000)["id"]
    wanted = body(product, amount=1000)
    first = place(stranger, wanted)

    # Also when the key is the only thing left to wait for.
    for change in ({}, {"price": 2000}, {"status": "draft"}):
        seller.patch(f"/api/products/{product}", change)
        with ThreadPoolExecutor(1) as other:
            with in_progress(settings, commit=True):
                second = other.submit(place, stranger, wanted)
                until_someone_waits(settings)
            assert second.result().data == first.data
    with in_progress(settings, commit=True), ThreadPoolExecutor(1) as other:
        late = other.submit(place, stranger, body(product))
        until_someone_waits(settings)
        assert code(late.result()) == "idempotency_in_progress"
    assert code(place(stranger, body(product))) == "idempotency_mismatch"
    assert query(settings, COUNT) == [(1, 1)]


def test_a_concurrent_duplicate_places_the_order_if_the_first_fails(
    settings: Settings, seller: Person, stranger: Person
) -> None:
    wanted = body(seller.product()["id"])
    first = place(stranger, wanted)

    with ThreadPoolExecutor(1) as other:
        with in_progress(settings, commit=False):
            second = other.submit(place, stranger, wanted)
            until_someone_waits(settings)
        made = second.result()

    assert (made.status_code, made.headers.get("Idempotent-Replayed")) == (201, None)
    assert made.data != first.data
    assert place(stranger, wanted).data == made.data


def test_waiting_too_long_for_a_key_is_a_conflict_and_leaves_nothing_behind(
    settings: Settings, seller: Person, stranger: Person
) -> None:
    wanted = body(seller.product()["id"])
    first = place(stranger, wanted)

    with in_progress(settings, commit=True):
        answer = place(stranger, wanted)

    assert (answer.status_code, code(answer)) == (409, "idempotency_in_progress")
    assert answer.headers["Retry-After"] == "1"
    # The connection is clean, and the order can be replayed.
    with database.connection_context():
        assert database.execute_sql("SHOW lock_timeout").fetchone() != (KEY_WAIT,)
    idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE %s"
    assert query(settings, idle, "idle in transaction%") == [(0,)]
    assert place(stranger, wanted).data == first.data


def test_waiting_for_the_sellers_row_is_not_reported_as_a_key_in_progress(
    settings: Settings, seller: Person, stranger: Person
) -> None:
    if settings.database_pool_url:
        pytest.skip("through a pooler the server has no limit that ends the wait")
    wanted = body(seller.product()["id"])

    with closing(connect(settings.direct, wait=5)) as connection:
        connection.autocommit = False
        connection.cursor().execute("SELECT FROM users FOR UPDATE")
        answer = place(stranger, wanted)

    assert (answer.status_code, code(answer)) == (503, "database_busy")
    assert query(settings, COUNT) == [(0, 0)]
    assert place(stranger, wanted).status_code == 201


def test_fifty_concurrent_duplicates_place_one_order(
    app: Flask, settings: Settings, seller: Person, stranger: Person
) -> None:
    wanted = body(seller.product()["id"])

    with ThreadPoolExecutor(50) as crowd:
        answers = list(crowd.map(lambda _: place(Person(app), wanted), range(50)))

    assert {(answer.status_code, answer.data) for answer in answers} == {(201, answers[0].data)}
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 49
    assert query(settings, COUNT) == [(1, 1)]
    assert place(stranger, wanted).data == answers[0].data


def test_a_replay_does_not_contain_an_erased_buyer(
    root: Path, settings: Settings, seller: Person, stranger: Person
) -> None:
    wanted = body(seller.product()["id"], name="Ivan")
    place(stranger, wanted)

    erased = flask(root, settings, "orders", "erase-buyer", "buyer@example.com", "--yes")

    assert (erased.returncode, erased.stderr) == (0, "")
    order = place(stranger, wanted).get_json()["order"]
    assert (order["email"], order["name"]) == ("", None)
    assert query(settings, COUNT) == [(1, 1)]


@pytest.mark.usefixtures("app")
def test_keys_are_swept_after_a_day(root: Path, settings: Settings, seller: Person, stranger: Person) -> None:
    wanted = body(seller.product()["id"])
    for number in range(3):
        place(stranger, wanted, key=f"{number}{KEY}")
    ago = "UPDATE idempotency_keys SET created_at = now() - %s::interval WHERE order_id IN"
    oldest = "(SELECT id FROM orders ORDER BY created_at LIMIT 2)"
    query(settings, f"{ago} {oldest}", "24 hours")
    query(settings, f"{ago} (SELECT id FROM orders ORDER BY created_at DESC LIMIT 1)", "23 hours 59 minutes")

    swept = flask(root, settings, "db", "sweep")

    assert "idempotency keys: 2 deleted\n" in swept.stdout
    assert query(settings, COUNT) == [(3, 1)]
    assert place(stranger, wanted, key=f"2{KEY}").headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in place(stranger, wanted, key=f"0{KEY}").headers
