"""Concurrent requests, one of them held up halfway: each gets a response that was true at some moment."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import bcrypt
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from nexus.config import Settings
from nexus.db.connection import connect
from nexus.models import orders
from tests.environment import flask
from tests.factories import PASSWORD, Person, register
from tests.locks import until_someone_waits
from tests.sql import query

Answer = TypeVar("Answer")

NEW_PASSWORD = "UPDATE users SET password = 'newer' WHERE id = %s"
ORDERED = (
    "INSERT INTO orders (seller_id, product_id, product_name, email, amount, currency)"
    " SELECT user_id, id, name, 'buyer@example.com', price, currency FROM products WHERE id = %s"
)


@contextmanager
def held(settings: Settings, sql: str, *values: object) -> Iterator[None]:
    """Run a statement, and commit it when the block has ended and somebody waits for it."""
    with closing(connect(settings.direct, wait=5)) as connection:
        connection.autocommit = False
        connection.cursor().execute(sql, values)
        yield
        until_someone_waits(settings)
        connection.commit()


def behind(settings: Settings, sql: str, value: object, request: Callable[[], Answer]) -> Answer:
    """The response of a request that waits for a statement, which is then committed."""
    with ThreadPoolExecutor(1) as other:
        with held(settings, sql, value):
            answer = other.submit(request)
        return answer.result()


def test_a_product_deleted_during_an_order_is_not_found(
    settings: Settings, seller: Person, stranger: Person
) -> None:
    product = seller.product()
    body = {"productId": product["id"], "email": "buyer@example.com"}

    answer = behind(
        settings,
        "DELETE FROM products WHERE id = %s",
        product["id"],
        lambda: stranger.post("/api/orders", body),
    )

    assert answer.status_code == 404
    assert query(settings, "SELECT count(*) FROM orders") == [(0,)]


def test_an_account_deleted_while_it_creates_a_product_is_unauthenticated(
    settings: Settings, seller: Person
) -> None:
    body = {"name": "Course", "price": 1}

    answer = behind(
        settings,
        "DELETE FROM users WHERE id = %s",
        seller.id,
        lambda: seller.post("/api/products", body),
    )

    assert answer.status_code == 401


def test_an_account_deleted_as_its_orders_are_read_gets_no_empty_file(
    settings: Settings, seller: Person
) -> None:
    seller.order(seller.product()["id"])

    answer = behind(
        settings,
        "LOCK TABLE orders; DELETE FROM users WHERE id = %s",
        seller.id,
        lambda: seller.get("/api/orders.csv"),
    )

    assert answer.status_code == 401


def test_a_sign_in_during_a_password_change_leaves_no_session(
    settings: Settings, seller: Person, stranger: Person
) -> None:
    query(settings, "DELETE FROM sessions")
    body = {"email": "seller@example.com", "password": PASSWORD}

    answer = behind(settings, NEW_PASSWORD, seller.id, lambda: stranger.post("/api/auth/login", body))

    assert (answer.status_code, answer.get_json()["code"]) == (401, "invalid_credentials")
    assert query(settings, "SELECT count(*) FROM sessions") == [(0,)]


def test_rehashing_at_sign_in_does_not_overwrite_a_newer_password(
    settings: Settings, seller: Person, stranger: Person
) -> None:
    old = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    query(settings, "UPDATE users SET password = %s", old)
    body = {"email": "seller@example.com", "password": PASSWORD}

    answer = behind(settings, NEW_PASSWORD, seller.id, lambda: stranger.post("/api/auth/login", body))

    assert answer.status_code == 401
    assert query(settings, "SELECT password FROM users") == [("newer",)]


def test_an_account_is_not_deleted_with_a_password_that_changes_meanwhile(
    settings: Settings, seller: Person
) -> None:
    answer = behind(
        settings,
        NEW_PASSWORD,
        seller.id,
        lambda: seller.delete("/api/auth/me", json={"password": PASSWORD}),
    )

    assert (answer.status_code, answer.get_json()["code"]) == (401, "invalid_credentials")
    assert query(settings, "SELECT password FROM users") == [("newer",)]


def test_an_order_during_a_price_change_has_the_committed_price(
    settings: Settings, seller: Person, stranger: Person
) -> None:
    product = seller.product(price=1000)

    with closing(connect(settings.direct, wait=5)) as connection:
        connection.autocommit = False
        connection.cursor().execute("UPDATE products SET price = 2000 WHERE id = %s", (product["id"],))
        order = stranger.order(product["id"])
        connection.commit()

    assert order["amount"] == 1000
    assert stranger.order(product["id"])["amount"] == 2000


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "x" * 32}], ids=["bare", "with a key"])
def test_an_amount_that_becomes_the_price_meanwhile_is_accepted(
    settings: Settings,
    seller: Person,
    stranger: Person,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
) -> None:
    product = seller.product(price=1000)["id"]
    body = {"productId": product, "email": "buyer@example.com", "amount": 2000}
    refuse = orders.Order.refuse

    def overtaken(*what: Any, **more: Any) -> None:
        # Between the statement that found nothing to order and the one that finds out why.
        query(settings, "UPDATE products SET price = 2000 WHERE id = %s", product)
        refuse(*what, **more)

    monkeypatch.setattr(orders.Order, "refuse", overtaken)
    answer = stranger.post("/api/orders", body, headers=headers)

    assert (answer.status_code, answer.get_json()["order"]["amount"]) == (201, 2000)


def test_concurrent_orders_during_price_changes_have_one_of_the_two_prices(
    app: Flask, seller: Person
) -> None:
    product = seller.product(price=1000)["id"]
    body = {"productId": product, "email": "buyer@example.com"}
    wanted = [body, {**body, "amount": 1000}, {**body, "amount": 2000}] * 4

    def order(number: int) -> tuple[int | None, TestResponse]:
        headers = {"Idempotency-Key": f"{uuid4()}"} if number % 2 else {}
        return wanted[number].get("amount"), Person(app).post("/api/orders", wanted[number], headers=headers)

    for price in (2000, 1000) * 4:
        with ThreadPoolExecutor(13) as pool:
            before = pool.map(order, range(6))
            changed = pool.submit(seller.patch, f"/api/products/{product}", {"price": price})
            placed = [*before, *pool.map(order, range(6, 12))]
        assert changed.result().status_code == 200
        for sent, answer in placed:
            if answer.status_code == 201:
                assert answer.get_json()["order"]["amount"] in ((1000, 2000) if sent is None else (sent,))
            else:
                error = (answer.status_code, answer.get_json()["code"], answer.get_json()["price"])
                assert error == (409, "price_changed", 3000 - (sent or 0))


def test_a_status_change_that_becomes_possible_meanwhile_is_accepted(
    settings: Settings, seller: Person, stranger: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = stranger.order(seller.product()["id"])
    written = orders.Order.written

    def overtaken(*write: object) -> object:
        rows = written(*write)
        # Between the two statements of the status change, once.
        monkeypatch.undo()
        query(settings, "UPDATE orders SET status = 'paid' WHERE id = %s", order["id"])
        return rows

    monkeypatch.setattr(orders.Order, "written", overtaken)
    answer = seller.patch(f"/api/orders/{order['id']}", {"status": "refunded"})

    assert answer.status_code == 200
    assert answer.get_json()["order"]["status"] == "refunded"


def test_an_uncommitted_order_prevents_the_deletion_of_the_account(
    settings: Settings, seller: Person
) -> None:
    product = seller.product()

    answer = behind(
        settings,
        ORDERED,
        product["id"],
        lambda: seller.delete("/api/auth/me", json={"password": PASSWORD}),
    )

    assert (answer.status_code, answer.get_json()["code"]) == (409, "open_orders")
    assert query(settings, "SELECT count(*) FROM orders WHERE seller_id IS NOT NULL") == [(1,)]


def test_an_uncommitted_order_prevents_the_operator_from_erasing_the_seller(
    root: Path, settings: Settings, seller: Person
) -> None:
    product = seller.product()

    run = behind(
        settings,
        ORDERED,
        product["id"],
        lambda: flask(root, settings, "users", "erase", str(seller.id), "--yes"),
    )

    ((order,),) = query(settings, "SELECT id::text FROM orders WHERE seller_id IS NOT NULL")
    assert run.stderr == f"Error: user {seller.id} has open orders: {order}\n"


def test_an_order_waits_for_the_deletion_of_its_seller_and_is_not_found(
    settings: Settings, seller: Person, stranger: Person
) -> None:
    body = {"productId": seller.product()["id"], "email": "buyer@example.com"}

    with closing(connect(settings.direct, wait=5)) as connection, ThreadPoolExecutor(1) as other:
        connection.autocommit = False
        cursor = connection.cursor()
        cursor.execute("SELECT FROM users WHERE id = %s FOR UPDATE", (seller.id,))
        answer = other.submit(stranger.post, "/api/orders", body)
        until_someone_waits(settings)
        # If the order had locked the product, the two would deadlock.
        cursor.execute("SELECT FROM products FOR UPDATE NOWAIT")
        cursor.execute("DELETE FROM users WHERE id = %s", (seller.id,))
        connection.commit()

    assert answer.result().status_code == 404
    assert query(settings, "SELECT count(*) FROM orders") == [(0,)]


def test_concurrent_orders_and_account_deletion_leave_no_order_without_a_seller(
    app: Flask, settings: Settings
) -> None:
    for number in range(5):
        seller = register(app, f"seller{number}@example.com")
        body = {"productId": seller.product()["id"], "email": "buyer@example.com"}
        with ThreadPoolExecutor(4) as pool:
            placed = [pool.submit(Person(app).post, "/api/orders", body) for _ in range(2)]
            left = pool.submit(seller.delete, "/api/auth/me", json={"password": PASSWORD})
            placed += [pool.submit(Person(app).post, "/api/orders", body) for _ in range(2)]
        assert {answer.result().status_code for answer in placed} <= {201, 404}
        assert left.result().status_code in (204, 409)

    assert query(settings, "SELECT count(*) FROM orders WHERE seller_id IS NULL") == [(0,)]
