"""Registering, signing in, and who is signed in: the exact responses of the contract."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import argon2
import bcrypt
import pytest
from flask import Flask

from nexus import create_app
from nexus.config import Settings
from nexus.db import database
from nexus.models.users import User
from tests.events import events
from tests.factories import PASSWORD, Person, register

TAKEN = "Пользователь с таким email уже существует."
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
COOKIE = "token={token}; Expires=[^;]+ GMT; Max-Age=7200; {secure}HttpOnly; Path=/; SameSite=Strict"
REFRESH = (
    "refresh={token}; Expires=[^;]+ GMT; Max-Age=2592000; {secure}HttpOnly; Path=/api/auth; SameSite=Strict"
)


def credentials(email: str = "new@test.com", password: str = "password123") -> dict[str, str]:
    return {"email": email, "password": password}


@pytest.mark.parametrize(("path", "status"), [("register", 201), ("login", 200)])
def test_registering_and_signing_in_respond_as_the_contract_says(
    stranger: Person, path: str, status: int
) -> None:
    if path == "login":
        stranger.post("/api/auth/register", credentials())
    answer = stranger.post(f"/api/auth/{path}", credentials())

    assert answer.status_code == status
    assert answer.content_type == "application/json"
    body = answer.get_json()
    assert answer.data == json.dumps(body, separators=(",", ":")).encode()
    assert list(body) == ["success", "token", "refreshToken", "expiresIn", "user"]
    assert body["success"] is True
    assert body["expiresIn"] == 7200
    assert list(body["user"]) == ["id", "email", "role", "createdAt"]
    assert body["user"]["role"] == "seller"
    assert body["user"]["email"] == "new@test.com"
    assert re.fullmatch(TIME, body["user"]["createdAt"])
    access, refresh = answer.headers.getlist("Set-Cookie")
    assert re.fullmatch(COOKIE.format(token=re.escape(body["token"]), secure=""), access)
    assert re.fullmatch(REFRESH.format(token=re.escape(body["refreshToken"]), secure=""), refresh)


def test_the_cookies_are_secure_in_production(app: Flask, settings: Settings) -> None:
    production = create_app(settings.model_copy(update={"app_env": "production"}))

    answer = Person(production).post("/api/auth/register", credentials())

    for cookie, sent in zip((COOKIE, REFRESH), answer.headers.getlist("Set-Cookie"), strict=True):
        assert re.fullmatch(cookie.format(token="[^;]+", secure="Secure; "), sent)


@pytest.mark.parametrize(
    ("body", "language", "status", "code", "sentence"),
    [
        ({"email": "new"}, "ru", 400, "validation_failed", "Неверный формат данных."),
        ({"email": "new"}, "en", 400, "validation_failed", "Invalid data format."),
        (
            credentials("taken@test.com"),
            "ru",
            400,
            "email_taken",
            "Пользователь с таким email уже существует.",
        ),
        (credentials("TAKEN@test.com"), "en", 400, "email_taken", "A user with this email already exists."),
    ],
)
def test_registration_errors_are_those_of_the_contract(
    app: Flask, stranger: Person, body: Any, language: str, status: int, code: str, sentence: str
) -> None:
    register(app, "Taken@test.com")

    answer = stranger.post("/api/auth/register", body, headers={"Accept-Language": language})

    assert answer.status_code == status
    assert answer.get_json()["error"] == sentence
    assert answer.get_json()["code"] == code
    assert answer.get_json()["success"] is False
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("body", "language", "status", "code", "sentence"),
    [
        ({}, "ru", 400, "validation_failed", "Неверный формат данных."),
        (
            credentials("test@test.com", "wrong"),
            "ru",
            401,
            "invalid_credentials",
            "Неверный e-mail или пароль.",
        ),
        (
            credentials("test@test.com", "wrong"),
            "en",
            401,
            "invalid_credentials",
            "Wrong e-mail or password.",
        ),
        (credentials("nobody@test.com"), "en", 401, "invalid_credentials", "Wrong e-mail or password."),
        (credentials("not an address"), "en", 401, "invalid_credentials", "Wrong e-mail or password."),
    ],
)
def test_sign_in_errors_are_those_of_the_contract(
    app: Flask, stranger: Person, body: Any, language: str, status: int, code: str, sentence: str
) -> None:
    register(app, "test@test.com")

    answer = stranger.post("/api/auth/login", body, headers={"Accept-Language": language})

    assert answer.status_code == status
    assert answer.get_json()["error"] == sentence
    assert answer.get_json()["code"] == code
    assert answer.get_json()["success"] is False


def test_a_response_never_repeats_a_password(stranger: Person) -> None:
    answer = stranger.post("/api/auth/register", {"email": "x", "password": "s3cr3t!"})

    assert {problem["field"] for problem in answer.get_json()["errors"]} == {"email", "password"}
    assert "s3cr3t" not in answer.text


def test_signing_in_ignores_the_case_of_the_address(app: Flask, stranger: Person) -> None:
    ivan = register(app, "Иван@пример.рф")

    answer = stranger.post("/api/auth/login", credentials("иВАН@ПРИМЕР.рф", PASSWORD))

    assert answer.get_json()["user"]["id"] == ivan.id


@pytest.mark.parametrize(
    "typed", ["x@xn--bcher-kva.example", "x@\uff25\uff38.com", "cafe\u0301@example.com", "x@ex\u3002co"]
)
def test_an_address_signs_in_as_typed_at_registration(stranger: Person, typed: str) -> None:
    registered = stranger.post("/api/auth/register", credentials(typed))

    answer = stranger.post("/api/auth/login", credentials(typed))

    assert registered.get_json()["user"]["email"] != typed
    assert answer.get_json()["user"] == registered.get_json()["user"]


def test_an_old_address_that_was_not_normalised_signs_in(app: Flask, stranger: Person) -> None:
    typed = "x@xn--bcher-kva.example"
    with database.connection_context():
        old = User.register(email=typed, password=PASSWORD)

    answer = stranger.post("/api/auth/login", credentials(typed, PASSWORD))

    assert answer.get_json()["user"]["id"] == old.id


def test_concurrent_registrations_of_one_address_have_one_winner(app: Flask) -> None:
    def attempt(number: int) -> int:
        body = credentials("Race@test.com" if number % 2 else "race@test.com")
        return Person(app).post("/api/auth/register", body).status_code

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(attempt, range(4)))

    assert statuses == [201, 400, 400, 400]


def test_the_password_is_stored_as_argon2id_with_the_configured_costs(app: Flask) -> None:
    person = register(app, "new@test.com")

    with database.connection_context():
        stored = User.by_id(person.id).get().password
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize("password", ["password123", "пароль-с-юникодом", "long " * 30])
@pytest.mark.parametrize("prefix", [b"2a", b"2b"])
def test_a_bcrypt_hash_of_the_old_system_signs_in_and_is_replaced(
    app: Flask, stranger: Person, password: str, prefix: bytes
) -> None:
    # Like the old Node service, which truncated passwords to 72 bytes.
    old = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4, prefix=prefix)).decode()
    with database.connection_context():
        User.insert(email="old@test.com", password=old).execute()

    first = stranger.post("/api/auth/login", credentials("old@test.com", password))
    with database.connection_context():
        stored = User.by_email("old@test.com").get().password
    again = stranger.post("/api/auth/login", credentials("old@test.com", password))

    assert (first.status_code, again.status_code) == (200, 200)
    assert stored.startswith("$argon2id$")


@pytest.mark.parametrize("stored", ["", "plain", "$2b$10$short", "$argon2id$broken"])
def test_an_invalid_stored_hash_signs_nobody_in(app: Flask, stranger: Person, stored: str) -> None:
    with database.connection_context():
        User.insert(email="odd@test.com", password=stored).execute()

    assert stranger.post("/api/auth/login", credentials("odd@test.com", "plain")).status_code == 401


@pytest.mark.parametrize("email", ["test@test.com", "nobody@test.com"])
def test_an_unknown_address_costs_one_hash_like_a_wrong_password(
    app: Flask, stranger: Person, monkeypatch: pytest.MonkeyPatch, email: str
) -> None:
    register(app, "test@test.com")
    verified: list[str] = []
    original = argon2.PasswordHasher.verify

    def counting(self: argon2.PasswordHasher, stored: str, password: str) -> bool:
        verified.append(stored)
        return original(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counting)
    assert stranger.post("/api/auth/login", credentials(email, "wrong password")).status_code == 401

    assert len(verified) == 1


def test_unicode_forms_of_a_password_are_equivalent(app: Flask, stranger: Person) -> None:
    register(app, "test@test.com", password="caf\u00e9 cafe\u0301 \ufb01sh")

    answer = stranger.post("/api/auth/login", credentials("test@test.com", "cafe\u0301 caf\u00e9 fish"))

    assert answer.status_code == 200


def test_me_returns_the_signed_in_user(seller: Person) -> None:
    assert seller.get("/api/auth/me").get_json() == {"user": seller.user}


def test_a_failed_sign_in_is_logged_without_the_password(
    stranger: Person, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        stranger.post("/api/auth/login", credentials("a@test.com\nfake line", "s3cr3t-pass"))

    (logged,) = [line for line in events(caplog) if line["event"] == "sign_in_failed"]
    assert logged["email"] == "a@test.com\nfake line"
    assert "s3cr3t-pass" not in caplog.text
