"""Rate limits: each call that is throttled, and that an attack does not lock the owner out."""

from collections.abc import Callable
from typing import Any

import argon2
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from nexus import create_app
from nexus.config import Settings
from nexus.db import database
from nexus.proxies import Proxies
from nexus.rates import Rate
from tests.conftest import as_declared
from tests.events import events
from tests.factories import PASSWORD, Person, sign_in
from tests.sql import query

#: So slow that no token is refilled while a test runs.
TWICE = Rate(2, 86400)
HERE, THERE = "198.51.100.7", "203.0.113.9"
SELLER = "seller@example.com"

Call = Callable[[Person, str], TestResponse]


def come_from(address: str, language: str = "en") -> dict[str, Any]:
    return {"headers": {"X-Forwarded-For": address, "Accept-Language": language}}


def log_in(app: Flask, address: str, *, email: str = SELLER, password: str = "wrong password") -> int:
    body = {"email": email, "password": password}
    return Person(app).post("/api/auth/login", body, **come_from(address)).status_code


@pytest.fixture
def shop(app: Flask, settings: Settings) -> Flask:
    """The application behind a proxy, with low rate limits."""
    assert app
    names = ("sign_in", "register", "refresh", "orders")
    changes: dict[str, Any] = {f"rate_limit_{name}": TWICE for name in names}
    changes |= {"rate_limit_enabled": True, "trusted_proxies": Proxies.parse("1")}
    shop = create_app(settings.model_copy(update=changes))
    shop.finishing.insert(0, as_declared(shop))
    return shop


BY_ADDRESS: dict[str, tuple[str, dict[str, Any], int]] = {
    "login": ("/api/auth/login", {"email": SELLER, "password": "wrong password"}, 401),
    "register": ("/api/auth/register", {"email": SELLER, "password": PASSWORD}, 400),
    "refresh": ("/api/auth/refresh", {"refreshToken": "nonsense"}, 401),
    "reset": ("/api/auth/reset", {"token": "nonsense", "newPassword": PASSWORD}, 400),
    "order": ("/api/orders", {"productId": 1, "email": "buyer@example.com"}, 404),
}
BY_PASSWORD: dict[str, tuple[str, str, dict[str, Any]]] = {
    "password": ("POST", "/api/auth/password", {"currentPassword": "wrong", "newPassword": PASSWORD}),
    "email": ("PATCH", "/api/auth/me", {"currentPassword": "wrong", "email": "new@example.com"}),
    "leave": ("DELETE", "/api/auth/me", {"password": "wrong"}),
}


#: The calls that each setting limits.
SETTINGS: dict[str, set[str]] = {
    "sign_in": {"login", "reset", "password", "email", "leave"},
    "register": {"register"},
    "refresh": {"refresh"},
    "orders": {"order"},
}


def assert_throttled(answer: TestResponse, language: str) -> None:
    """Assert that a response is the 429 of the contract."""
    body = answer.get_json()
    sentences = {
        "en": "Too many attempts. Please wait a little and try again.",
        "ru": "Слишком много попыток. Немного подождите и попробуйте снова.",
    }
    assert (answer.status_code, body["code"], body["error"]) == (429, "throttled", sentences[language])
    assert body.get("success") is (False if "/auth/" in answer.request.path else None)
    # One token is refilled in half a day.
    assert 43_000 < int(answer.headers["Retry-After"]) <= 43_200


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("name", BY_ADDRESS)
def test_calls_are_limited_per_address(shop: Flask, seller: Person, name: str, language: str) -> None:
    path, body, status = BY_ADDRESS[name]

    def call(address: str) -> TestResponse:
        return Person(shop).post(path, body, **come_from(address, language))

    assert seller.id
    assert [call(HERE).status_code for _ in range(2)] == [status] * 2
    assert_throttled(call(HERE), language)
    assert call(THERE).status_code == status
    # An IPv6 address counts with its /64.
    assert [call(f"2001:db8::{n}").status_code for n in range(3)] == [status, status, 429]


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("name", BY_PASSWORD)
def test_password_attempts_are_limited_per_session(
    shop: Flask, seller: Person, name: str, language: str
) -> None:
    method, path, body = BY_PASSWORD[name]
    thief = sign_in(shop, SELLER, headers={"X-Forwarded-For": HERE})
    owner = sign_in(shop, SELLER, headers={"X-Forwarded-For": THERE})

    def call(person: Person, address: str) -> TestResponse:
        return person.request(method, path, json=body, **come_from(address, language))

    assert [call(thief, f"192.0.2.{n}").status_code for n in range(2)] == [401] * 2
    assert_throttled(call(thief, "192.0.2.3"), language)
    assert call(owner, THERE).status_code == 401


@pytest.mark.parametrize("setting", SETTINGS)
def test_each_call_is_limited_by_its_own_setting(
    app: Flask, settings: Settings, seller: Person, setting: str
) -> None:
    rates = {f"rate_limit_{name}": Rate(1 if name == setting else 1000, 86400) for name in SETTINGS}
    strict = create_app(settings.model_copy(update={**rates, "rate_limit_enabled": True}))
    caller = Person(strict, token=seller.token)
    calls = [(name, "POST", path, body) for name, (path, body, _) in BY_ADDRESS.items()]
    calls += [(name, *call) for name, call in BY_PASSWORD.items()]

    answers = {
        name: [caller.request(method, path, json=body).status_code for _ in range(2)]
        for name, method, path, body in calls
    }

    assert {name for name, statuses in answers.items() if 429 in statuses} == SETTINGS[setting]


def test_invalid_requests_are_reported_first_and_do_not_count(shop: Flask) -> None:
    wrong = [
        Person(shop).post("/api/auth/login", {"email": SELLER}, **come_from(HERE)).status_code
        for _ in range(5)
    ]

    assert wrong == [400] * 5
    assert log_in(shop, HERE) == 401

    # Pages of other sites can trigger these requests.
    empty = [Person(shop).post("/api/auth/refresh", **come_from(HERE)).status_code for _ in range(5)]
    assert empty == [401] * 5
    assert Person(shop).post("/api/auth/refresh", {"refreshToken": "x"}, **come_from(HERE)).status_code == 401


def test_a_throttled_sign_in_computes_no_hash(
    shop: Flask, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    original = argon2.PasswordHasher.verify

    def counting(self: argon2.PasswordHasher, stored: str, typed: str) -> bool:
        verified.append(typed)
        return original(self, stored, typed)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counting)
    statuses = [log_in(shop, HERE, password=PASSWORD) for _ in range(6)]

    assert statuses == [200] * 2 + [429] * 4
    assert len(verified) == 2


def test_throttling_costs_one_statement(app: Flask, shop: Flask, seller: Person) -> None:
    seen: list[str] = []

    def note(event: Any) -> None:
        seen.append(str(event.sql))

    database.query_hooks.append(note)
    try:
        log_in(app, HERE)
        without = len(seen)
        log_in(shop, HERE)
    finally:
        database.query_hooks.remove(note)

    assert len(seen) == 2 * without + 1


def test_an_attack_from_one_address_does_not_lock_out_another(shop: Flask, seller: Person) -> None:
    attack = [log_in(shop, HERE) for _ in range(50)]

    assert attack.count(401) == 2
    assert log_in(shop, THERE, password=PASSWORD) == 200


def test_a_distributed_attack_is_slowed_and_does_not_lock_out_known_addresses(
    shop: Flask, seller: Person
) -> None:
    for known in (THERE, "2001:db8::1"):
        assert log_in(shop, known, password=PASSWORD) == 200
    attack = [log_in(shop, f"198.51.100.{number}") for number in range(100)]

    # The owner used two of the ten attempts that an account allows from all addresses.
    assert attack.count(401) == 8
    assert log_in(shop, THERE, password=PASSWORD) == 200
    assert log_in(shop, "2001:db8::99", password=PASSWORD) == 200
    assert log_in(shop, "192.0.2.1", password=PASSWORD) == 429


@pytest.mark.parametrize("email", [SELLER, "nobody@example.com", "not an address"])
def test_throttling_does_not_disclose_whether_an_account_exists(
    shop: Flask, seller: Person, email: str
) -> None:
    spellings = (email, email.upper())
    statuses = [log_in(shop, f"198.51.100.{n}", email=spellings[n % 2]) for n in range(20)]

    assert statuses == [401] * 10 + [429] * 10


def test_throttling_is_logged_and_stores_no_address_in_plain_text(
    shop: Flask, seller: Person, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        for _ in range(3):
            body = {"email": SELLER, "password": "s3cr3t-pass"}
            headers = {"X-Forwarded-For": HERE, "X-Request-Id": "the-third"}
            Person(shop).post("/api/auth/login", body, headers=headers)
    kept = str(query(settings, "SELECT * FROM buckets"))

    (line,) = [one for one in events(caplog) if one["event"] == "throttled"]
    # Half a day, less the time that the three requests took.
    assert 43_100 < line.pop("wait") <= 43_200
    throttled = {"kind": "sign_in", "email": SELLER}
    assert line == {"event": "throttled", **throttled, "request": "the-third", "address": HERE}
    assert "s3cr3t-pass" not in caplog.text
    assert SELLER not in kept
    assert HERE not in kept


def test_without_its_table_the_throttle_fails_closed(shop: Flask, seller: Person, settings: Settings) -> None:
    query(settings, "ALTER TABLE buckets RENAME TO aside")
    try:
        assert log_in(shop, HERE, password=PASSWORD) == 500
    finally:
        query(settings, "ALTER TABLE aside RENAME TO buckets")
    assert log_in(shop, HERE, password=PASSWORD) == 200


def test_a_disabled_throttle_counts_nobody(app: Flask, seller: Person, settings: Settings) -> None:
    assert [log_in(app, HERE) for _ in range(15)] == [401] * 15
    assert query(settings, "SELECT count(*) FROM buckets") == [(0,)]
