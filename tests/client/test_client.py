"""Both clients against a running server: calls, pages and errors."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from nexus.client import Refused, Tokens
from nexus.errors import (
    InvalidCredentials,
    InvalidTransition,
    NotFound,
    OpenOrders,
    PriceChanged,
    Unauthenticated,
    ValidationFailed,
)
from tests.client.conftest import RestartableServer
from tests.client.page import examples
from tests.factories import PASSWORD, Person

Connect = Callable[..., Any]
SELLER = "seller@example.com"


def test_a_whole_shop_can_be_run_through_the_client(app: Flask, connect: Connect) -> None:
    seller, buyer = connect(), connect()
    assert seller.register(email=SELLER, password=PASSWORD)["email"] == SELLER
    course = seller.add_product(name="Course", price=1000)
    assert seller.change_product(course["id"], price=1200)["price"] == 1200
    assert buyer.product(course["id"])["price"] == 1200

    placed = buyer.place_order(product_id=course["id"], email="buyer@example.com", amount=1200)
    receipt, order_id = placed["receiptToken"], placed["order"]["id"]
    assert seller.move_order(order_id, status="processing")["status"] == "processing"
    assert buyer.order(order_id, receipt=receipt)["order"]["status"] == "processing"
    assert buyer.move_order(order_id, status="cancelled", receipt=receipt)["status"] == "cancelled"
    statuses = [event["to"] for event in seller.order_events(order_id)]
    assert statuses == ["created", "processing", "cancelled"]
    assert buyer.order_events(order_id, receipt=receipt)[0]["actor"] == "buyer"
    assert seller.issue_receipt(order_id) == receipt
    since = datetime(2020, 1, 1, tzinfo=UTC)
    found = seller.orders(status="cancelled", product_id=course["id"], created_after=since)
    assert [order["id"] for order in found] == [order_id]
    sold = seller.stats(since=date(2026, 1, 1), to=date(2026, 1, 2), time_zone="Europe/Moscow")
    assert [part["from"] for part in sold["intervals"]] == ["2026-01-01", "2026-01-02"]

    other = connect()
    other.sign_in(email=SELLER, password=PASSWORD)
    current = {session["current"]: session["id"] for session in seller.sessions()}
    seller.end_session(current[False])
    with pytest.raises(Unauthenticated):
        other.me()
    assert other.tokens is None

    seller.change_password(current_password=PASSWORD, new_password="violet staple harbour")
    seller.change_email(email="shop@example.com", current_password="violet staple harbour")
    assert seller.me()["email"] == "shop@example.com"
    seller.sign_out()
    assert seller.tokens is None
    seller.sign_in(email="shop@example.com", password="violet staple harbour")
    seller.delete_product(course["id"])
    seller.delete_account(password="violet staple harbour")
    assert seller.tokens is None
    with pytest.raises(NotFound):
        buyer.product(course["id"])


def test_iterating_over_a_list_fetches_all_of_its_pages(app: Flask, seller: Person, connect: Connect) -> None:
    offered = [seller.product(name=f"Course {number}", price=number)["id"] for number in range(5)]

    found = connect().products(user_id=seller.id, min_price=1, sort="price", page_size=2)
    assert [product["id"] for product in found] == offered[1:]
    assert [product["name"] for product in connect().products(q="course 3")] == ["Course 3"]
    assert list(connect().products(q="nothing")) == []


def test_an_error_response_raises_the_exception_of_its_code(
    app: Flask, seller: Person, connect: Connect
) -> None:
    product, shop = seller.product(price=1000), connect(language="ru")
    with pytest.raises(PriceChanged) as changed:
        shop.place_order(product_id=product["id"], email="buyer@example.com", amount=999)
    assert changed.value.extra == {"price": 1000, "currency": "USD"}

    with pytest.raises(ValidationFailed) as invalid:
        shop.place_order(product_id=0, email="nobody")
    assert {(one["field"], one["code"]) for one in invalid.value.problems} == {
        ("productId", "too_small"),
        ("email", "not_an_email"),
    }

    with pytest.raises(Refused) as wrong:
        shop.sign_in(email=SELLER, password="wrong")
    assert isinstance(wrong.value, InvalidCredentials)
    assert (wrong.value.code, wrong.value.status) == ("invalid_credentials", 401)
    assert wrong.value.message == "Неверный e-mail или пароль."
    assert wrong.value.request_id in str(wrong.value)

    shop.sign_in(email=SELLER, password=PASSWORD)
    order = seller.order(product["id"])
    with pytest.raises(InvalidTransition) as step:
        shop.move_order(order["id"], status="refunded")
    assert step.value.extra == {"allowed": ["processing", "paid", "cancelled"]}
    with pytest.raises(OpenOrders) as still:
        shop.delete_account(password=PASSWORD)
    assert still.value.extra == {"orders": [order["id"]]}


def test_threads_that_share_a_client_refresh_an_expired_token_once(
    expired: tuple[Person, Tokens], connect: Connect, shop_server: RestartableServer
) -> None:
    person, tokens = expired
    before = shop_server.request_count("/api/auth/refresh")
    shop, together = connect(tokens=tokens), threading.Barrier(8)

    def ask(_: int) -> int:
        together.wait()
        return int(shop.me()["id"])

    with ThreadPoolExecutor(8) as crowd:
        everyone = list(crowd.map(ask, range(8)))

    assert everyone == [person.id] * 8
    assert shop_server.request_count("/api/auth/refresh") == before + 1
    assert shop.tokens.refresh != tokens.refresh
    # The session still works; a refresh token that was used twice would have ended it.
    assert connect(tokens=shop.tokens).me()["id"] == person.id


def test_all_threads_that_share_a_client_learn_that_its_session_has_ended(
    expired: tuple[Person, Tokens], connect: Connect
) -> None:
    _, tokens = expired
    shop = connect(tokens=Tokens(access=tokens.access, refresh="spent"))
    together = threading.Barrier(8)

    def refused(_: int) -> bool:
        together.wait()
        with pytest.raises(Unauthenticated):
            # An order needs no account, but a client that had one must not order without it.
            shop.place_order(product_id=1, email="buyer@example.com")
        return True

    with ThreadPoolExecutor(8) as crowd:
        assert all(crowd.map(refused, range(8)))
    assert shop.tokens is None


def test_the_examples_of_the_docs_and_the_script_run(
    app: Flask, root: Path, shop_server: RestartableServer, tmp_path: Path
) -> None:
    page = "\n".join(examples(root, "python")).replace("http://127.0.0.1:8000", shop_server.url(""))
    (tmp_path / "page.py").write_text(page, "utf-8")

    def printed(program: Path, *words: str) -> list[str]:
        # Like somebody else's program that has the package installed.
        ran = subprocess.run(
            [sys.executable, program, *words],
            env={**os.environ, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.splitlines()

    *lines, listed = printed(tmp_path / "page.py")
    assert lines == ["Course 4999 USD", "created", "It costs 4999 USD", "seller@shop.example"]
    assert re.fullmatch(r"[0-9a-f-]{36} Course", listed)
    assert printed(root / "tests/client/script.py", shop_server.url("")) == ["created 100"]
