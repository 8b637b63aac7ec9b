"""The API documentation, used in a browser: by mouse, by keyboard, on a phone, in dark mode."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.page import Page
from tests.factories import PASSWORD, Person

#: The most bytes that a page may transfer.
MAX_BYTES = 2_500_000
#: The call that places an order.
PLACE = "#operations-orders-placeOrder"


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.fill("#sign-in input", email, text="E-mail")
    page.fill("#sign-in input", password, text="Password")
    page.press("Enter")


def test_a_person_signs_in_and_places_an_order(page: Page, seller: Person) -> None:
    product = seller.product(price=1500)
    page.open("/docs")
    sign_in(page, "seller@example.com")
    page.see("Signed in as seller@example.com", within="#sign-out")

    page.click(f"{PLACE} .opblock-summary-control")
    page.click(f"{PLACE} button", "Try it out")
    assert page.run(f"[...document.querySelectorAll('{PLACE} input')].map(one => one.value)") == [""] * 4
    page.fill("textarea", json.dumps({"productId": product["id"], "email": "buyer@example.com"}))
    page.click(f"{PLACE} button", "Execute")

    page.see("201", within=f"{PLACE} .live-responses-table")
    (order,) = seller.get("/api/orders").get_json()["orders"]
    assert (order["email"], order["amount"]) == ("buyer@example.com", 1500)
    assert page.received() < MAX_BYTES

    page.click("#sign-out button")
    page.see("Sign in", within="#sign-in")
    assert [session["current"] for session in seller.get("/api/auth/sessions").get_json()["sessions"]] == [
        True
    ]


@pytest.mark.long
def test_signing_in_by_keyboard_and_returning_with_a_cookie(page: Page, seller: Person) -> None:
    page.open("/docs")
    page.see("/api/auth/me")
    page.tab_to("Skip to the content")
    page.press("Enter")
    page.tab_to("E-mail")
    page.write("seller@example.com")
    page.tab_to("Password")
    page.write(PASSWORD)
    page.press("Enter")
    page.see("Signed in as seller@example.com")

    # After a reload the page has no token, but the browser still has its cookie.
    page.open("/docs")
    page.see("/api/auth/me")
    page.tab_to("Return the signed-in account.")
    page.press("Enter")
    page.see("Try it out")
    page.tab_to("Try it out")
    page.press("Enter")
    page.tab_to("Execute")
    page.press("Enter")

    page.see('"seller@example.com"', within="#operations-auth-me .live-responses-table")


@pytest.mark.long
def test_a_pasted_token_authorizes_calls_and_can_log_out(page: Page, seller: Person) -> None:
    page.open("/docs")
    page.click("button", "Authorize")
    page.fill("#auth-bearer-value", str(seller.token))
    page.press("Enter")
    page.click(".modal-ux button", "Close")
    page.click("#operations-auth-logout .opblock-summary-control")
    page.click("#operations-auth-logout button", "Try it out")
    page.click("#operations-auth-logout button", "Execute")

    page.see("204", within="#operations-auth-logout .live-responses-table")
    assert seller.get("/api/auth/me").status_code == 401


@pytest.mark.long
def test_a_wrong_password_is_reported_in_the_visitors_language(page: Page, seller: Person) -> None:
    page.expected = {401}
    page.emulate(language="ru")
    page.open("/docs")
    page.fill("#sign-in input", "seller@example.com", text="E-mail")
    page.fill("#sign-in input", "a wrong password", text="Пароль")
    page.click("#sign-in button", "Войти")

    page.see("Неверный e-mail или пароль.", within="[role=alert]")


@pytest.mark.parametrize(
    "width", [390, *(pytest.param(width, marks=pytest.mark.long) for width in (320, 1280))]
)
def test_no_page_is_wider_than_the_screen(page: Page, width: int) -> None:
    page.emulate(width=width, language="ru")
    page.open("/docs#/orders/placeOrder")
    page.see("Try it out")

    assert page.overflow() == 0
    page.open("/docs/errors")
    assert page.overflow() == 0


@pytest.mark.long
@pytest.mark.parametrize("dark", [True, False])
def test_pages_follow_the_preferred_colour_scheme(page: Page, *, dark: bool) -> None:
    page.emulate(dark=dark)
    for path, words in (("/docs", "#calls h3"), ("/docs/errors", "section p")):
        page.open(path)
        page.see("", within=words)
        assert (brightness(page, words, "color") > 0.7) == dark
        assert (brightness(page, "body", "backgroundColor") < 0.3) == dark


def brightness(page: Page, selector: str, what: str) -> float:
    """How bright a colour of an element is, from 0 to 1."""
    style = f"getComputedStyle(document.querySelector({json.dumps(selector)}))"
    red, green, blue = page.run(f"{style}.{what}.match(/\\d+/g).slice(0, 3).map(Number)")
    return float(red + green + blue) / 3 / 255


@pytest.mark.parametrize(
    ("language", "heading", "advice"),
    [("en", "Errors", "Sign in instead."), ("ru", "Ошибки", "Войдите в неё.")],
)
def test_the_type_of_an_error_links_to_advice(
    page: Page, seller: Person, language: str, heading: str, advice: str
) -> None:
    account = {"email": "seller@example.com", "password": PASSWORD}
    problem: dict[str, Any] = seller.post("/api/auth/register", account).get_json()

    page.emulate(language=language)
    page.open(problem["type"])

    assert page.text("h1") == heading
    page.see(advice, within="section:target")
    assert page.run("scrollY") > 0


def test_complaints_include_every_kind_of_problem(visit: Callable[[str], Page], origin: str) -> None:
    """What would fail any other test is detected."""
    page = visit(origin)
    page.open("/docs/errors")
    page.run("fetch('http://localhost:1/').catch(() => 0)")
    page.run("document.body.setAttribute('style', 'color: red')")
    page.run("console.error('oh')")
    page.run("setTimeout(() => { throw new Error('no') })")
    page.run("fetch('/api/auth/me').then(() => 0)")

    found = " ".join(page.complaints())

    assert [
        word for word in ("localhost:1", "style-src", "oh", "Error: no", "401") if word not in found
    ] == []
    page.forget()


def test_a_returning_visitor_is_still_signed_in_and_can_sign_out(page: Page, seller: Person) -> None:
    page.open("/docs")
    sign_in(page, seller.user["email"])
    page.see("Signed in as seller@example.com", within="#sign-out")

    page.open("/docs")
    page.see("Signed in as seller@example.com", within="#sign-out")
    page.click("#sign-out button")
    page.see("Sign in", within="#sign-in")

    page.open("/docs")
    page.see("Sign in", within="#sign-in")
