"""Attacks by somebody who knows the code; docs/security.md lists all that were tried."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from nexus.config import Settings
from tests.factories import PASSWORD, Person, register
from tests.sql import query

NEW = "another battery horse"


def test_ids_of_other_accounts_give_no_access(seller: Person, rival: Person, stranger: Person) -> None:
    live, draft = seller.product()["id"], seller.product(status="draft")["id"]
    order = stranger.order(live)["id"]
    (session,) = seller.get("/api/auth/sessions").get_json()["sessions"]
    tried: list[tuple[str, str, Any, int, int]] = [
        ("GET", f"/api/products/{draft}", None, 404, 404),
        ("PATCH", f"/api/products/{live}", {"price": 1}, 403, 401),
        ("PATCH", f"/api/products/{draft}", {"price": 1}, 404, 401),
        ("DELETE", f"/api/products/{live}", None, 403, 401),
        ("DELETE", f"/api/products/{draft}", None, 404, 401),
        ("POST", "/api/products", {"name": "x", "price": 1, "userId": seller.id}, 403, 401),
        ("POST", "/api/orders", {"productId": draft, "email": "x@example.com"}, 404, 404),
        ("GET", f"/api/orders/{order}", None, 404, 404),
        ("GET", f"/api/orders/{order.upper()}", None, 404, 404),
        ("GET", f"/api/orders/{order}/events", None, 404, 404),
        ("PATCH", f"/api/orders/{order}", {"status": "paid"}, 404, 401),
        ("DELETE", f"/api/auth/sessions/{session['id']}", None, 404, 401),
    ]

    for method, path, body, to_rival, to_stranger in tried:
        assert rival.request(method, path, json=body).status_code == to_rival, path
        assert stranger.request(method, path, json=body).status_code == to_stranger, path
    assert rival.get(f"/api/orders?productId={live}").get_json()["orders"] == []
    assert seller.get(f"/api/orders/{order}").get_json()["order"]["status"] == "created"


@pytest.mark.parametrize("field", ["role", "Role", "id", "createdAt", "user", "isAdmin", "__class__"])
def test_clients_cannot_set_server_controlled_fields(
    seller: Person, stranger: Person, settings: Settings, field: str
) -> None:
    extra = {field: "admin", "email": "new@example.com"}

    for answer in (
        stranger.post("/api/auth/register", {**extra, "password": PASSWORD}),
        seller.patch("/api/auth/me", {**extra, "currentPassword": PASSWORD}),
    ):
        assert answer.get_json()["errors"][0] == {
            "field": field,
            "code": "unknown",
            "message": "is not a known field",
        }
    assert query(settings, "SELECT email, role FROM users") == [("seller@example.com", "seller")]


@pytest.mark.parametrize("text", ["' OR 1=1--", "') OR TRUE--", "1;SELECT pg_sleep(9)", "%", "_", "%s", "\\"])
@pytest.mark.parametrize(
    "path",
    [
        "/api/products?userId={}",
        "/api/products?userId={id}&sort={}",
        "/api/products?userId={id}&minPrice={}",
        "/api/products?userId={id}&cursor={}",
        "/api/orders?email={}",
        "/api/orders?status={}",
        "/api/orders?productId={}",
        "/api/orders?createdAfter={}",
        "/api/orders/{}",
    ],
)
def test_no_input_is_executed_as_sql(seller: Person, path: str, text: str) -> None:
    seller.order(seller.product()["id"])

    address, _, asked = path.replace("{id}", str(seller.id)).rpartition("?")
    answer = (
        seller.get(path.format(text))
        if not address
        else seller.get(address, query_string=[part.format(text).split("=", 1) for part in asked.split("&")])
    )

    assert answer.status_code in (400, 404) or answer.get_json()["orders"] == []


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
def test_no_header_overrides_the_method(seller: Person, header: str) -> None:
    path = f"/api/products/{seller.product()['id']}"

    assert seller.get(path, headers={header: "DELETE"}).status_code == 200
    assert seller.get(f"{path}?_method=DELETE", headers={header: "DELETE"}).status_code == 400
    assert seller.get(path).status_code == 200


@pytest.mark.parametrize(
    "typed",
    [
        "SELLER@EXAMPLE.COM",
        "seller@example\u3002com",
        "seller@EXAMPL\u212f.com",
        "\u017feller@example.com.",
        "seller@example.com.",
        " seller@example.com",
        "seller@example.com\r\nBcc: x@example.com",
        "seller\u200b@example.com",
        "seller@exam\u00adple.com",
        '"seller"@example.com',
        "Seller <seller@example.com>",
        "s" * 308 + "@example.com",
    ],
)
def test_another_spelling_of_an_address_makes_no_second_account(
    seller: Person, settings: Settings, stranger: Person, typed: str
) -> None:
    body = {"email": typed, "password": PASSWORD}

    assert stranger.post("/api/auth/register", body).status_code == 400
    assert query(settings, "SELECT id FROM users") == [(seller.id,)]


def test_no_session_survives_the_deletion_of_its_account(app: Flask, settings: Settings) -> None:
    for number in range(5):
        person = register(app, f"{number}@example.com")
        with ThreadPoolExecutor(2) as pool:
            gone = pool.submit(person.delete, "/api/auth/me", json={"password": PASSWORD})
            sent = {"refreshToken": person.refresh_token}
            renewed = pool.submit(Person(app).post, "/api/auth/refresh", sent)
        assert (gone.result().status_code, renewed.result().status_code) in [(204, 200), (204, 401)]
        token = renewed.result().get_json().get("token", person.token)
        assert Person(app, token=token).get("/api/auth/me").status_code == 401
    assert query(settings, "SELECT count(*) FROM sessions") == [(0,)]


def test_no_sign_in_with_the_old_password_outlives_a_concurrent_change(
    app: Flask, settings: Settings
) -> None:
    for number in range(5):
        person = register(app, f"{number}@example.com")
        with ThreadPoolExecutor(2) as pool:
            body = {"currentPassword": PASSWORD, "newPassword": NEW}
            changed = pool.submit(person.post, "/api/auth/password", body)
            old = {"email": f"{number}@example.com", "password": PASSWORD}
            entered = pool.submit(Person(app).post, "/api/auth/login", old)
        assert changed.result().status_code == 204
        assert entered.result().status_code in (200, 401)
    assert query(settings, "SELECT count(*) FROM sessions WHERE ended_at IS NULL") == [(5,)]


def test_a_failed_sign_in_looks_the_same_for_known_and_unknown_addresses(
    seller: Person, stranger: Person
) -> None:
    same = {"X-Request-Id": "same"}
    known, unknown = (
        stranger.post("/api/auth/login", {"email": email, "password": "wrong"}, headers=same)
        for email in ("seller@example.com", "nobody@example.com")
    )

    assert (known.data, dict(known.headers)) == (unknown.data, dict(unknown.headers))
