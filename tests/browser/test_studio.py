"""The studio as a person meets it: by mouse, by keyboard, on a phone, in the dark."""

from collections.abc import Callable, Iterator
from threading import Thread

import pytest
from flask import Flask
from werkzeug.serving import make_server

from nexus.config import Settings
from nexus.db import database
from nexus.studio import create_studio
from nexus.studio.door import Door
from nexus.studio.server import Quiet
from tests.browser.page import Page
from tests.factories import Person
from tests.ports import free_port


@pytest.fixture
def page(visit: Callable[[str], Page], app: Flask, settings: Settings) -> Iterator[Page]:
    """A page of a studio that is open for changes, which its link has opened."""
    door = Door(free_port())
    with database.connection_context():
        studio = create_studio(settings, door, write=True)
    host, _, port = door.host.partition(":")
    server = make_server(host, int(port), studio, threaded=True, request_handler=Quiet)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    opened = visit(f"http://{door.host}")
    opened.open(door.link.removeprefix(opened.origin))
    yield opened
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_person_finds_an_order_follows_it_and_moves_it(page: Page, seller: Person) -> None:
    product = seller.product(name="Watercolours")
    for _ in range(3):
        seller.order(product["id"])
    order = seller.order(product["id"], email="one@example.com")["id"]

    page.click("nav a", "orders")
    page.fill("input", "ONE@example.com", text="email")
    page.click("button", "Filter")
    page.wait("document.querySelectorAll('tbody tr').length === 1")
    page.see("one@example.com", within="td")
    page.click("td a", order)
    page.click(f"dd a[href='/tables/products/{product['id']}']")
    page.see("Watercolours", within="dd")
    page.click(".referring a", "orders")
    page.click("td a", order)

    page.see("created", within="dd .state")
    seller.patch(f"/api/orders/{order}", {"status": "cancelled"})
    page.expected.add(409)
    page.click(".steps button", "paid")
    page.see("The order cannot move to this status.", within="[role=alert]")
    page.see("cancelled", within="dd .state")
    page.see("This order has no steps left.")


@pytest.mark.long
def test_by_keyboard_on_a_phone_in_the_dark_and_in_russian(page: Page, seller: Person) -> None:
    product = seller.product(name="Watercolours")
    order = seller.order(product["id"])["id"]
    page.look(width=360, height=740, dark=True, language="ru")

    page.open("/")
    page.tab_to("Перейти к содержанию")
    page.tab_to("Id, адрес e-mail или слова из товара")
    page.write("watercolours")
    page.press("Enter")
    page.see("Watercolours", within="td")
    for path in (
        *("/", "/tables/orders", "/tables/order_events", f"/tables/orders/{order}"),
        *(f"/tables/products/{product['id']}", f"/tables/users/{seller.id}", "/find?q=nothing"),
    ):
        page.open(path)
        assert page.overflow() == 0, path
        page.tab_to("Найти")
    page.open(f"/tables/orders/{order}")
    page.tab_to("processing")
    page.press("Enter")
    page.see("processing", within="dd .state")
