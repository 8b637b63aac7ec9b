"""How both clients cope with a server that is killed and started again."""

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
from tests.client.conftest import RestartableServer
from tests.factories import Person
from tests.locks import WAITERS, held
from tests.sql import query

Connect = Callable[..., Any]


def tokens_of(person: Person) -> Tokens:
    assert person.token
    assert person.refresh_token
    return Tokens(access=person.token, refresh=person.refresh_token)


def test_after_a_crash_orders_are_retried_and_placed_once_but_unsafe_calls_are_not(
    seller: Person, connect: Connect, shop_server: RestartableServer, settings: Settings
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
        shop_server.restart()
        placed = list(answers)

    assert not isinstance(broken.value.__cause__, httpx.ConnectError)
    assert isinstance(gone.value.__cause__, httpx.ConnectError)
    assert [email for email, _ in placed] == buyers
    assert sorted(query(settings, "SELECT email, id::text FROM orders")) == placed


def test_a_list_continues_after_a_restart_that_invalidates_every_token(
    seller: Person, connect: Connect, shop_server: RestartableServer
) -> None:
    product = seller.product()["id"]
    placed = [seller.order(product)["id"] for _ in range(3)]
    shop = connect(tokens=tokens_of(seller))

    found = iter(shop.orders(page_size=1))
    first = next(found)["id"]
    shop_server.kill()
    restarting = threading.Thread(target=shop_server.restart, kwargs={"JWT_SECRET_KEY": token_urlsafe(48)})
    restarting.start()
    rest = [order["id"] for order in found]
    restarting.join()

    assert [first, *rest] == placed[::-1]
    assert shop.tokens.access != seller.token
