"""Access to the staff pages, and that only their own forms can change anything."""

import re
from io import BytesIO
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from flask import Flask

from nexus.config import Settings
from nexus.limits import MAX_BODY
from nexus.rates import Rate
from tests.admin.conftest import ORIGIN, Browser
from tests.factories import Person
from tests.sql import query

SIGN_IN = "/admin/sign-in"


def test_everyone_but_admins_is_redirected_to_the_sign_in_page(
    app: Flask, browser: Browser, seller: Person
) -> None:
    order = seller.order(seller.product()["id"])["id"]
    guarded = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/admin")]
    assert len(guarded) > 8

    for email in (None, str(seller.user["email"])):
        if email:
            assert browser.sign_in(email).location == "/admin"
        for rule in guarded:
            if rule.rule != SIGN_IN:
                path = re.sub("<uuid:key>", order, rule.rule).replace("<name>", "users")
                path = re.sub("<[^>]+>", "1", path)
                method = "POST" if "POST" in (rule.methods or ()) else "GET"
                answer = browser.open(path, method=method, data={"status": "paid"})
                assert (answer.status_code, answer.location) == (303, SIGN_IN), path
    assert "does not have the role admin" in browser.get(SIGN_IN).text
    assert seller.user["email"] in browser.get(SIGN_IN).text


def test_an_unknown_path_gets_an_html_404(staff: Browser) -> None:
    answer = staff.get("/admin/tables/orders/x/y")

    assert (answer.status_code, answer.content_type) == (404, "text/html; charset=utf-8")


def test_an_admin_signs_in_and_out(staff: Browser, settings: Settings) -> None:
    home = staff.get("/admin")

    assert home.status_code == 200
    assert home.headers["Cache-Control"] == "no-store"
    assert home.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert staff.get(SIGN_IN).location == "/admin"
    out = staff.post("/admin/sign-out", data=staff.form("/admin", "/admin/sign-out"))
    assert (out.status_code, out.location) == (303, SIGN_IN)
    assert staff.get("/admin").location == SIGN_IN
    assert query(settings, "SELECT count(*) FROM sessions WHERE ended_at IS NULL") == [(1,)]


def test_revoking_the_admin_role_takes_effect_at_once(staff: Browser, settings: Settings) -> None:
    query(settings, "UPDATE users SET role = 'seller'")

    assert staff.get("/admin/tables/users").location == SIGN_IN


def test_signing_in_sets_the_same_cookies_as_the_api(app: Flask, browser: Browser, seller: Person) -> None:
    answer = browser.sign_in(str(seller.user["email"]))
    token, refresh = answer.headers.getlist("Set-Cookie")

    assert {"Path=/", "HttpOnly", "SameSite=Strict"} < set(token.split("; "))
    assert {"Path=/api/auth", "HttpOnly", "SameSite=Strict"} < set(refresh.split("; "))
    assert browser.get("/api/auth/me").status_code == 200


@pytest.mark.parametrize(
    "given", [{}, {"email": "x" * 2000, "password": "x"}, {"email": "nobody@example.com"}]
)
def test_a_failed_sign_in_discloses_no_more_than_the_api(
    browser: Browser, app: Flask, given: dict[str, str]
) -> None:
    answer = browser.post(SIGN_IN, data=given)

    assert answer.status_code == 401
    assert "Wrong e-mail or password." in answer.text
    assert "Set-Cookie" not in answer.headers


def test_the_sign_in_page_and_the_api_share_one_rate_limit(
    app: Flask, browser: Browser, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "RATES", {"sign_in": Rate(2, 86400)})
    guess = {"email": seller.user["email"], "password": "wrong"}

    assert browser.post("/api/auth/login", json=guess).status_code == 401
    assert browser.post(SIGN_IN, data=guess).status_code == 401
    refused = browser.post(SIGN_IN, data=guess)
    assert (refused.status_code, browser.post("/api/auth/login", json=guess).status_code) == (429, 429)
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.content_type.startswith("text/html")


def test_a_forged_form_changes_nothing(
    app: Flask, staff: Browser, seller: Person, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = seller.order(seller.product()["id"])["id"]
    path = f"/admin/change/orders/{order}"
    token = staff.form(f"/admin/tables/orders/{order}", path)["form_token"]
    shop = "https://shop.example"
    monkeypatch.setitem(app.config, "CORS_ORIGINS", (shop,))

    for fields, origin in (
        ({"status": "paid"}, ORIGIN),
        ({"status": "paid", "form_token": "é"}, ORIGIN),
        ({"status": "paid", "form_token": token}, "http://other.example"),
        ({"status": "paid", "form_token": token}, shop),
    ):
        answer = staff.post(path, data=fields, headers={"Origin": origin})
        assert answer.status_code == 403
    assert query(settings, "SELECT status FROM orders") == [("created",)]
    assert query(settings, "SELECT count(*) FROM audit") == [(0,)]
    page = staff.get("/admin", headers={"Origin": shop})
    assert "Access-Control-Allow-Origin" not in page.headers
    assert "Access-Control-Allow-Origin" in staff.get("/api/products", headers={"Origin": shop}).headers


def test_a_truncated_form_changes_nothing(staff: Browser, seller: Person, settings: Settings) -> None:
    product = seller.product(price=100)["id"]
    path = f"/admin/change/products/{product}"
    form = staff.form(f"/admin/tables/products/{product}", path)
    whole = urlencode({**form, "price": 5999}).encode()
    half = whole[: whole.index(b"price=59") + len(b"price=59")]

    def send(sent: bytes, length: int, to: str = path) -> tuple[int, str]:
        # What our server passes on when a client disconnects in the middle of a body.
        environ = {"wsgi.input_terminated": True, "CONTENT_LENGTH": str(length)}
        answer = staff.post(
            to,
            input_stream=BytesIO(sent),
            content_type="application/x-www-form-urlencoded",
            environ_overrides=environ,
        )
        return answer.status_code, answer.content_type

    page = "text/html; charset=utf-8"
    assert send(half, len(whole)) == (400, page)
    assert send(whole, MAX_BODY + 1) == (413, page)
    assert send(b"email=staff", MAX_BODY + 1, "/admin/sign-in") == (413, page)
    assert query(settings, "SELECT price FROM products") == [(100,)]
    assert send(whole, len(whole))[0] == 303
    assert query(settings, "SELECT price FROM products") == [(5999,)]


def test_a_trailing_slash_is_redirected(staff: Browser) -> None:
    answer = staff.get("/admin/")

    assert (answer.status_code, answer.location) == (308, "/admin")


def test_a_missing_row_or_table_gets_an_html_404(staff: Browser) -> None:
    for path in (f"/admin/tables/orders/{uuid4()}", "/admin/tables/users/x", "/admin/tables/resets"):
        answer = staff.get(path)
        assert answer.status_code == 404
        assert answer.content_type.startswith("text/html")
        assert answer.headers["Cache-Control"] == "no-store"
