"""What both clients make of a server that is killed and started again."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from secrets import token_urlsafe
from typing import Any

import httpx
import pytest

from nexus.client import Tokens, Unreachable
from nexus.config import Settings
from tests.client.conftest import Mortal
from tests.factories import Person
from tests.locks import WAITERS, held
from tests.sql import query

Connect = Callable[..., Any]


def tokens_of(person: Person) -> Tokens:
    assert person.token
    assert person.refresh_token
    return Tokens(access=person.token, refresh=person.refresh_token)


def test_a_killed_server_has_placed_each_order_once_and_is_not_asked_twice_for_what_may_not_be(
    seller: Person, connect: Connect, shop_server: Mortal, settings: Settings
) -> None:
    product, shop = seller.product()["id"], connect(tokens=tokens_of(seller))
    buyers = ["ann@example.com", "bob@example.com"]

    def order(email: str) -> tuple[str, str]:
        placed = shop.place_order(product_id=product, email=email)
        return placed["order"]["email"], placed["order"]["id"]

    with ThreadPoolExecutor(3) as crowd:
        with held(settings, "LOCK TABLE orders, products IN SHARE MODE"):
            offered = crowd.submit(shop.add_product, name="Course", price=1)
            answers = crowd.map(order, buyers)
            while query(settings, WAITERS)[0][0] < 3:
                time.sleep(0.05)
            shop_server.kill()
        with pytest.raises(Unreachable) as broken:
            offered.result()
        with pytest.raises(Unreachable) as gone:
            connect(patience=0).product(1)
        shop_server.rise()
        placed = list(answers)

    assert not isinstance(broken.value.__cause__, httpx.ConnectError)
    assert isinstance(gone.value.__cause__, httpx.ConnectError)
    assert [email for email, _ in placed] == buyers
    assert sorted(query(settings, "SELECT email, id::text FROM orders")) == placed


def test_a_list_goes_on_after_a_restart_under_another_key_that_ends_every_token(
    seller: Person, connect: Connect, shop_server: Mortal
) -> None:
    product = seller.product()["id"]
    placed = [seller.order(product)["id"] for _ in range(3)]
    shop = connect(tokens=tokens_of(seller))

    found = iter(shop.orders(page_size=1))
    first = next(found)["id"]
    shop_server.kill()
    risen = threading.Thread(target=shop_server.rise, kwargs={"JWT_SECRET_KEY": token_urlsafe(48)})
    risen.start()
    rest = [order["id"] for order in found]
    risen.join()

    assert [first, *rest] == placed[::-1]
    assert shop.tokens.access != seller.token
