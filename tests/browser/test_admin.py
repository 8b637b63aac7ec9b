"""The staff pages, used in a browser."""

import pytest
from flask import Flask

from nexus.config import Settings
from tests.browser.page import Page
from tests.factories import PASSWORD, Person, register
from tests.sql import query


@pytest.fixture
def admin(app: Flask, settings: Settings) -> Person:
    """A staff account."""
    person = register(app, "staff@example.com")
    query(settings, "UPDATE users SET role = 'admin' WHERE email = 'staff@example.com'")
    return person


def sign_in(page: Page, person: Person) -> None:
    """Fill in the form on the open page, and submit it with the keyboard."""
    page.fill("input", str(person.user["email"]), text="E-mail")
    page.press("Tab")
    page.write(PASSWORD)
    page.press("Enter")


def test_a_seller_is_refused_and_staff_can_move_an_order(page: Page, seller: Person, admin: Person) -> None:
    product = seller.product(name="Watercolours")
    order = seller.order(product["id"], email="one@example.com")["id"]

    page.open("/admin")
    sign_in(page, seller)
    page.see("this account does not have the role admin", within="[role=alert]")
    sign_in(page, admin)
    page.see("staff@example.com", within=".person")
    page.wait("document.querySelector('.chart .status-created')")
    page.click("nav a", "orders")
    page.click("td a", order)
    page.see("created", within="dd .state")

    seller.patch(f"/api/orders/{order}", {"status": "processing"})
    seller.patch(f"/api/orders/{order}", {"status": "cancelled"})
    page.expected.add(409)
    page.click(".steps button", "paid")
    page.see("The order cannot move to this status.", within="[role=alert]")
    page.see("cancelled", within="dd .state")

    page.open(f"/admin/tables/orders/{seller.order(product['id'])['id']}")
    page.click(".steps button", "paid")
    page.see("paid", within="dd .state")
    page.see(f"staff:{admin.id}", within="td")
    page.click("nav a", "audit")
    page.see("move_order", within="td")
    page.click(".person button")
    page.see("For the shop's staff", within="h1")


@pytest.mark.long
def test_keyboard_use_on_a_phone_in_dark_mode_and_russian(page: Page, seller: Person, admin: Person) -> None:
    product = seller.product(name="Watercolours")
    order = seller.order(product["id"])["id"]
    page.emulate(width=360, height=740, dark=True, language="ru")

    page.open("/admin")
    page.tab_to("E-mail")
    page.write("staff@example.com")
    page.tab_to("Пароль")
    page.write(PASSWORD)
    page.tab_to("Войти")
    page.press("Enter")
    page.see("Оплачено за последние 28 дней", within="h2")
    page.tab_to("Показать в виде таблицы")
    page.press("Enter")
    page.see("Оплачено, USD", within="th")
    for path in (
        *("/admin", "/admin/tables/orders", "/admin/tables/audit", f"/admin/tables/orders/{order}"),
        *(f"/admin/tables/products/{product['id']}", f"/admin/tables/users/{seller.id}"),
        "/admin/find?q=watercolours",
    ):
        page.open(path)
        assert page.overflow() == 0, path
        page.tab_to("Выйти")
    page.open(f"/admin/tables/orders/{order}")
    page.tab_to("processing")
    page.press("Enter")
    page.see("processing", within="dd .state")
    page.open(f"/admin/tables/users/{seller.id}")
    page.tab_to("Завершить все сеансы")
    page.press("Enter")
    page.see("end_sessions", within="td")


@pytest.mark.long
def test_the_chart_is_accessible_to_screen_readers(page: Page, seller: Person, admin: Person) -> None:
    seller.order(seller.product(price=0)["id"])
    page.open("/admin")
    sign_in(page, admin)
    page.see("0.00 USD", within=".sum")

    tree = page.command("Accessibility.getFullAXTree")["nodes"]
    (image,) = [node for node in tree if node.get("role", {}).get("value") == "image" and "USD" in str(node)]
    assert image["name"]["value"] == "Paid in the last 28 days, today included (UTC), USD"
    assert image["description"]["value"].startswith("Paid: 0.00. Orders: 1.")
