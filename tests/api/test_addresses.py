"""The client's address and scheme, behind trusted and untrusted proxies."""

from typing import Any

import pytest
from flask import Flask

from nexus import create_app
from nexus.config import Settings
from nexus.proxies import Proxies
from tests.factories import PASSWORD, Person, sign_in

SPOOFED = "X-Forwarded-For arrives from 10.0.0.1, and no proxy is trusted"


def behind(settings: Settings, trusted: str) -> Flask:
    return create_app(settings.model_copy(update={"trusted_proxies": Proxies.parse(trusted)}))


def recorded_address(app: Flask, headers: dict[str, str], *, peer: str = "10.0.0.1") -> str:
    """Sign in, and return the address that the list of sessions shows for it."""
    person = sign_in(app, "seller@example.com", headers=headers, environ_base={"REMOTE_ADDR": peer})
    (session,) = [one for one in person.get("/api/auth/sessions").get_json()["sessions"] if one["current"]]
    return str(session["address"])


@pytest.mark.parametrize(
    ("trusted", "peer", "address"),
    [
        ("0", "10.0.0.1", "10.0.0.1"),
        ("1", "10.0.0.1", "203.0.113.9"),
        ("10.0.0.0/8", "10.0.0.1", "203.0.113.9"),
        ("10.0.0.0/8", "198.51.100.7", "198.51.100.7"),
        ("0", "::ffff:198.51.100.7", "198.51.100.7"),
    ],
)
def test_a_session_records_the_clients_address(
    settings: Settings, seller: Person, trusted: str, peer: str, address: str
) -> None:
    headers = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9"}

    assert recorded_address(behind(settings, trusted), headers, peer=peer) == address


def test_a_session_records_no_forged_address(settings: Settings, seller: Person) -> None:
    headers = {"X-Forwarded-For": "<script>, 127.0.0.1\t; nonsense"}

    assert recorded_address(behind(settings, "3"), headers) == "10.0.0.1"


@pytest.mark.parametrize(
    ("trusted", "proto", "status"),
    [
        ("1", "https", 201),
        ("1", "http, https", 201),
        ("1", "https, http", 403),
        ("1", "ftp", 403),
        ("10.0.0.0/8", "HTTPS", 201),
        ("0", "https", 403),
        ("192.0.2.0/24", "https", 403),
    ],
)
def test_the_scheme_is_taken_only_from_a_trusted_proxy(
    settings: Settings, seller: Person, trusted: str, proto: str, status: int
) -> None:
    # The origin is the same if the request came over HTTPS.
    headers: dict[str, Any] = {
        "Cookie": f"token={seller.token}",
        "Origin": "https://shop.example",
        "Host": "shop.example",
        "X-Forwarded-Proto": proto,
        "X-Forwarded-Host": "evil.example",
    }
    answer = Person(behind(settings, trusted)).post(
        "/api/products",
        {"name": "Course", "price": 1},
        headers=headers,
        environ_base={"REMOTE_ADDR": "10.0.0.1"},
    )

    assert answer.status_code == status


def test_untrusted_forwarded_addresses_are_logged_once(
    settings: Settings, seller: Person, caplog: pytest.LogCaptureFixture
) -> None:
    shop, body = behind(settings, "0"), {"email": "seller@example.com", "password": PASSWORD}
    options: dict[str, Any] = {"environ_base": {"REMOTE_ADDR": "10.0.0.1"}}
    Person(shop).post("/api/auth/login", body, **options)
    assert "X-Forwarded-For" not in caplog.text

    for _ in range(3):
        Person(shop).post("/api/auth/login", body, headers={"X-Forwarded-For": "203.0.113.9"}, **options)

    assert caplog.text.count(SPOOFED) == 1
