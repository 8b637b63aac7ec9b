"""The studio, used in a browser: by mouse, by keyboard, on a phone, in dark mode."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from tests.million import fill
from tests.ports import free_port


@contextmanager
def studio_of(settings: Settings, visit: Callable[[str], Page], *, write: bool) -> Iterator[Page]:
    """Serve a studio, and open its link in a page."""
    door = Door(free_port())
    with database.connection_context():
        studio = create_studio(settings, door, write=write)
    host, _, port = door.host.partition(":")
    server = make_server(host, int(port), studio, threaded=True, request_handler=Quiet)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    opened = visit(f"http://{door.host}")
    opened.open(door.link.removeprefix(opened.origin))
    try:
        yield opened
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def page(visit: Callable[[str], Page], app: Flask, settings: Settings) -> Iterator[Page]:
    """A page of a studio started with `--write`."""
    with studio_of(settings, visit, write=True) as opened:
        yield opened


@pytest.fixture
def million(visit: Callable[[str], Page], settings: Settings, scratch: Settings) -> Iterator[Page]:
    """A page of a studio over a million orders."""
    fill(scratch)
    database.configure(scratch.direct, size=2, wait=5)
    try:
        with studio_of(scratch, visit, write=False) as opened:
            yield opened
    finally:
        database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)


def test_finding_an_order_following_its_links_and_moving_it(page: Page, seller: Person) -> None:
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
    page.click(".steps button", "cancelled")
    page.see("created", within="dd .state")
    page.click(".steps button", "paid")
    page.see("The order cannot move to this status.", within="[role=alert]")
    page.see("cancelled", within="dd .state")
    page.see("The status of this order is final.")


@pytest.mark.long
def test_keyboard_use_on_a_phone_in_dark_mode_and_russian(page: Page, seller: Person) -> None:
    product = seller.product(name="Watercolours")
    order = seller.order(product["id"])["id"]
    page.emulate(width=360, height=740, dark=True, language="ru")

    page.open("/")
    page.tab_to("Перейти к содержанию")
    page.tab_to("ID, адрес e-mail или слова из карточки товара")
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
    page.see("Сохранено.", within="[role=status]")
    page.click(".steps [type=checkbox]")
    page.click(".steps button", "cancelled")
    page.see("cancelled", within="dd .state")


@pytest.mark.long
def test_finding_a_row_among_a_million(million: Page) -> None:
    million.see("about 1 000 000", within="td")
    million.fill("input[type=search]", "BUYER4321@example.com")
    million.click("button", "Find")
    million.see("buyer4321@example.com", within="td")
    order = million.text("td a")
    million.fill("input[type=search]", order)
    million.press("Enter")
    million.wait(f"[...document.querySelectorAll('td a')].some(one => one.textContent === '{order}')")

    million.click("nav a", "orders")
    million.fill("input", "buyer4321@example.com", text="email")
    million.click("button", "Filter")
    million.wait("document.querySelectorAll('tbody tr').length === 20")
    million.click("td a", order)
    million.see("buyer4321@example.com", within="dd")
    million.click("dd a[href^='/tables/products/']")
    million.see("Course 4322", within="dd")
    million.click(".referring a", "orders")
    million.wait("document.querySelectorAll('tbody tr').length >= 50")
    million.click("a", "Next page")
    million.wait("location.search.includes('cursor=')")
