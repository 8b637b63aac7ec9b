"""What the owner of an account can do with it, by bearer token and by cookie."""

import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import argon2
import bcrypt
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from nexus.config import Settings
from nexus.db import database
from nexus.models.accounts import Reset
from nexus.models.users import User
from nexus.security.passwords import HASHER
from tests.events import events
from tests.factories import PASSWORD, Person
from tests.sql import query

NEW = "another horse battery"
WRONG = {"en": "Wrong e-mail or password.", "ru": "Неверный e-mail или пароль."}
TAKEN = {
    "en": "A user with this email already exists.",
    "ru": "Пользователь с таким email уже существует.",
}
MALFORMED = {"en": "Invalid data format.", "ru": "Неверный формат данных."}
INVALID_TOKEN = {
    "en": "The password reset link is no longer valid.",
    "ru": "Ссылка для сброса пароля больше не действует.",
}
OPEN_ORDERS = {
    "en": "Finish or cancel the open orders first.",
    "ru": "Сначала завершите или отмените открытые заказы.",
}


@pytest.fixture(params=["bearer", "cookie"])
def way(request: pytest.FixtureRequest) -> str:
    """How a request authenticates."""
    return str(request.param)


@pytest.fixture(params=["en", "ru"])
def language(request: pytest.FixtureRequest) -> str:
    """The language that a request asks for."""
    return str(request.param)


def send(
    person: Person, way: str, method: str, path: str, body: Any, language: str = "en", **headers: str
) -> TestResponse:
    """Send a request of a signed-in person, with a bearer token or a cookie."""
    known = (
        {"Authorization": f"Bearer {person.token}"}
        if way == "bearer"
        else {"Cookie": f"token={person.token}"}
    )
    headers = {**known, "Accept-Language": language, **headers}
    return Person(person.http.application).request(method, f"/api/auth/{path}", json=body, headers=headers)


def signs_in(app: Flask, email: str, password: str) -> bool:
    """Whether a password signs in to an account."""
    answer = Person(app).post("/api/auth/login", {"email": email, "password": password})
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


def token_for(person: Person) -> str:
    """A reset token, as the operator's command makes it."""
    with database.connection_context():
        return Reset.make(User.by_id(person.id).get())


def test_a_password_can_be_changed(app: Flask, seller: Person, way: str) -> None:
    answer = send(seller, way, "POST", "password", {"currentPassword": PASSWORD, "newPassword": NEW})

    assert (answer.status_code, answer.data) == (204, b"")
    assert signs_in(app, "seller@example.com", NEW)
    assert not signs_in(app, "seller@example.com", PASSWORD)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "password", {"currentPassword": "wrong", "newPassword": NEW}),
        ("PATCH", "me", {"email": "new@example.com", "currentPassword": "wrong"}),
        ("DELETE", "me", {"password": "wrong"}),
    ],
)
def test_a_wrong_password_changes_nothing_and_is_logged(
    app: Flask,
    seller: Person,
    way: str,
    language: str,
    method: str,
    path: str,
    body: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = send(seller, way, method, path, body, language)

    assert answer.status_code == 401
    assert answer.get_json()["code"] == "invalid_credentials"
    assert answer.get_json()["error"] == WRONG[language]
    assert answer.get_json()["success"] is False
    assert ("password_refused", seller.id) in [(line["event"], line.get("user")) for line in events(caplog)]
    assert signs_in(app, "seller@example.com", PASSWORD)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "password", {"currentPassword": PASSWORD, "newPassword": "short"}),
        ("POST", "reset", {"token": "x", "newPassword": "short"}),
        ("PATCH", "me", {"email": "nobody", "currentPassword": PASSWORD}),
        ("DELETE", "me", {}),
    ],
)
def test_malformed_input_is_reported(
    seller: Person, way: str, language: str, method: str, path: str, body: dict[str, str]
) -> None:
    answer = send(seller, way, method, path, body, language)

    assert (answer.status_code, answer.get_json()["code"]) == (400, "validation_failed")
    assert answer.get_json()["error"] == MALFORMED[language]
    assert len(answer.get_json()["errors"]) == 1


@pytest.mark.parametrize(("method", "path"), [("POST", "password"), ("PATCH", "me"), ("DELETE", "me")])
def test_strangers_and_other_sites_are_refused(seller: Person, method: str, path: str) -> None:
    assert seller.http.open(f"/api/auth/{path}", method=method, json={}).status_code == 401

    answer = send(seller, "cookie", method, path, {"password": PASSWORD}, Origin="https://evil.example")
    assert (answer.status_code, answer.get_json()["code"]) == (403, "cross_origin")


def test_changing_the_address_keeps_the_session(app: Flask, seller: Person, way: str) -> None:
    body = {"email": "New@Example.com", "currentPassword": PASSWORD}

    answer = send(seller, way, "PATCH", "me", body)

    assert (answer.status_code, answer.get_json()) == (
        200,
        {"user": {**seller.user, "email": "New@example.com"}},
    )
    assert seller.get("/api/auth/me").get_json()["user"]["email"] == "New@example.com"
    assert signs_in(app, "new@example.com", PASSWORD)


def test_anothers_address_is_refused_but_ones_own_in_another_case_is_not(
    seller: Person, rival: Person, way: str, language: str
) -> None:
    body = {"email": "RIVAL@example.com", "currentPassword": PASSWORD}

    taken = send(seller, way, "PATCH", "me", body, language)
    own = send(seller, way, "PATCH", "me", {**body, "email": "SELLER@example.com"}, language)

    assert (taken.status_code, taken.get_json()["code"]) == (400, "email_taken")
    assert taken.get_json()["error"] == TAKEN[language]
    assert own.get_json()["user"]["email"] == "SELLER@example.com"


def test_concurrent_changes_to_the_same_address_have_one_winner(
    app: Flask, seller: Person, rival: Person
) -> None:
    def take(person: Person) -> int:
        body = {"email": "shared@example.com", "currentPassword": PASSWORD}
        return person.patch("/api/auth/me", body).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(take, [seller, rival])) == [200, 400]


def test_a_reset_token_works_once(app: Flask, seller: Person, language: str) -> None:
    token = token_for(seller)
    body = {"token": token, "newPassword": NEW}

    first = send(seller, "bearer", "POST", "reset", body, language)
    again = send(seller, "bearer", "POST", "reset", {**body, "newPassword": "yet another one"}, language)

    assert (first.status_code, first.data) == (204, b"")
    assert (again.status_code, again.get_json()["code"]) == (400, "invalid_reset_token")
    assert again.get_json()["error"] == INVALID_TOKEN[language]
    assert signs_in(app, "seller@example.com", NEW)


def test_only_the_hash_of_the_latest_reset_token_is_stored(
    settings: Settings, seller: Person, stranger: Person
) -> None:
    first, second = token_for(seller), token_for(seller)

    ((kept,),) = query(settings, "SELECT to_jsonb(resets)::text FROM resets")
    assert first not in kept
    assert second not in kept
    body = {"token": first, "newPassword": NEW}
    assert stranger.post("/api/auth/reset", body).status_code == 400
    assert stranger.post("/api/auth/reset", {**body, "token": second}).status_code == 204


@pytest.mark.parametrize("cause", ["time", "password", "address"])
def test_time_and_a_new_password_or_address_invalidate_a_reset_token(
    settings: Settings, seller: Person, stranger: Person, cause: str
) -> None:
    token = token_for(seller)
    if cause == "time":
        query(settings, "UPDATE resets SET expires_at = expires_at - interval '1 hour'")
    elif cause == "password":
        seller.post("/api/auth/password", {"currentPassword": PASSWORD, "newPassword": "something else"})
    else:
        seller.patch("/api/auth/me", {"email": "new@example.com", "currentPassword": PASSWORD})

    answer = stranger.post("/api/auth/reset", {"token": token, "newPassword": NEW})

    assert answer.get_json()["code"] == "invalid_reset_token"


def test_concurrent_resets_have_one_winner(app: Flask, seller: Person) -> None:
    token = token_for(seller)
    chosen = [f"password number {number}" for number in range(4)]

    def reset(password: str) -> int:
        return Person(app).post("/api/auth/reset", {"token": token, "newPassword": password}).status_code

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(reset, chosen))

    assert sorted(statuses) == [204, 400, 400, 400]
    assert [signs_in(app, "seller@example.com", password) for password in chosen] == [
        status == 204 for status in statuses
    ]


def test_concurrent_password_changes_have_one_winner(app: Flask, seller: Person) -> None:
    def change(password: str) -> int:
        body = {"currentPassword": PASSWORD, "newPassword": password}
        return seller.post("/api/auth/password", body).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(change, ["one password", "two passwords"])) == [204, 401]


def test_deleting_an_account_deletes_its_products_and_keeps_its_orders(
    app: Flask, settings: Settings, seller: Person, stranger: Person, way: str
) -> None:
    order = stranger.order(seller.product(price=0)["id"])

    answer = send(seller, way, "DELETE", "me", {"password": PASSWORD})

    assert (answer.status_code, answer.data) == (204, b"")
    cleared = answer.headers.getlist("Set-Cookie")
    assert [one.split(";")[0] for one in cleared] == ["token=", "refresh="]
    assert all("Max-Age=0" in one for one in cleared)
    assert query(settings, "SELECT count(*) FROM users UNION ALL SELECT count(*) FROM products") == [
        (0,),
        (0,),
    ]
    assert query(settings, "SELECT id::text, seller_id, product_id FROM orders") == [
        (order["id"], None, None)
    ]
    assert seller.get("/api/auth/me").status_code == 401
    assert not signs_in(app, "seller@example.com", PASSWORD)


@pytest.mark.parametrize("status", ["created", "processing"])
def test_an_account_with_open_orders_cannot_be_deleted(
    settings: Settings, seller: Person, way: str, language: str, status: str
) -> None:
    order = seller.order(seller.product()["id"])
    query(settings, "UPDATE orders SET status = %s", status)

    answer = send(seller, way, "DELETE", "me", {"password": PASSWORD}, language)

    assert (answer.status_code, answer.get_json()["code"]) == (409, "open_orders")
    assert answer.get_json()["error"] == OPEN_ORDERS[language]
    assert answer.get_json()["orders"] == [order["id"]]
    query(settings, "UPDATE orders SET status = 'cancelled'")
    assert send(seller, way, "DELETE", "me", {"password": PASSWORD}).status_code == 204


@pytest.mark.parametrize("algorithm", ["argon2id", "bcrypt"])
@pytest.mark.parametrize("typed", ["cafe\u0301 \ufb01sh na\u00efve", "пароль\u0306 и ещё"])
def test_a_hash_of_the_unnormalised_password_signs_in(
    app: Flask, settings: Settings, algorithm: str, typed: str
) -> None:
    old = (
        argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(typed)
        if algorithm == "argon2id"
        else bcrypt.hashpw(typed.encode(), bcrypt.gensalt(4)).decode()
    )
    query(settings, "INSERT INTO users (email, password) VALUES ('old@example.com', %s)", old)

    assert signs_in(app, "old@example.com", typed)

    # The hash was replaced by one of the normalised password, which other Unicode forms match too.
    assert signs_in(app, "old@example.com", unicodedata.normalize("NFC", typed))
    ((stored,),) = query(settings, "SELECT password FROM users")
    assert not HASHER.check_needs_rehash(stored)
