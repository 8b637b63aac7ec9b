"""The doctor's line about proxies that nobody trusts."""

import pytest

from nexus.config import Settings
from nexus.proxies import Proxies
from tests.doctor.conftest import Doctor
from tests.sql import query

LINE = "client addresses"


def sessions(shop: Settings, *addresses: str) -> None:
    query(shop, "INSERT INTO users (id, email, password) VALUES (1, 'a@example.com', '')")
    for address in addresses:
        query(shop, "INSERT INTO sessions (user_id, user_agent, address) VALUES (1, '', %s)", address)


@pytest.mark.parametrize(
    ("addresses", "status"),
    [
        ([], "ok"),
        (["10.0.0.1", "10.0.0.2", "127.0.0.1"], "warn"),
        (["fd00::1"], "warn"),
        (["10.0.0.1", "93.184.215.14"], "ok"),
        (["", "10.0.0.1"], "ok"),
    ],
)
def test_sessions_from_private_addresses_alone_are_a_proxys(
    doctor: Doctor, shop: Settings, addresses: list[str], status: str
) -> None:
    sessions(shop, *addresses)

    assert doctor(shop, app_env="production").status(LINE) == status
    assert doctor(shop).status(LINE) == "ok"


def test_whoever_trusts_a_proxy_or_has_no_sessions_is_well(
    doctor: Doctor, shop: Settings, scratch: Settings
) -> None:
    sessions(shop, "10.0.0.1")

    report = doctor(shop, app_env="production", trusted_proxies=Proxies.parse("1"))

    assert report.status(LINE) == "ok"
    query(shop, "ALTER TABLE sessions RENAME TO aside")
    assert doctor(shop, app_env="production").detail(LINE) == "nobody has signed in yet"


def test_the_advice_leads_to_the_page(doctor: Doctor, shop: Settings) -> None:
    sessions(shop, "10.0.0.1")
    report = doctor(shop, app_env="production")

    assert report.detail(LINE).startswith(
        "the latest 1 sessions all came from private addresses such as 10.0.0.1"
    )
    assert report.advice(LINE).startswith("set TRUSTED_PROXIES (docs/operations.md, Behind a proxy)")
