"""The check of client addresses, which finds a proxy missing from TRUSTED_PROXIES."""

import pytest

from nexus.config import Settings
from nexus.proxies import Proxies
from tests.doctor.conftest import Doctor
from tests.sql import query

CHECK = "client addresses"


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
def test_sessions_only_from_private_addresses_point_to_a_proxy(
    doctor: Doctor, shop: Settings, addresses: list[str], status: str
) -> None:
    sessions(shop, *addresses)

    assert doctor(shop, app_env="production").status(CHECK) == status
    assert doctor(shop).status(CHECK) == "ok"


def test_trusted_proxies_or_no_sessions_are_no_problem(
    doctor: Doctor, shop: Settings, scratch: Settings
) -> None:
    sessions(shop, "10.0.0.1")

    report = doctor(shop, app_env="production", trusted_proxies=Proxies.parse("1"))

    assert report.status(CHECK) == "ok"
    query(shop, "ALTER TABLE sessions RENAME TO aside")
    assert doctor(shop, app_env="production").detail(CHECK) == "nobody has signed in yet"


def test_the_advice_names_the_page_of_the_docs(doctor: Doctor, shop: Settings) -> None:
    sessions(shop, "10.0.0.1")
    report = doctor(shop, app_env="production")

    assert report.detail(CHECK).startswith(
        "the latest 1 sessions all came from private addresses such as 10.0.0.1"
    )
    assert report.advice(CHECK).startswith("set TRUSTED_PROXIES (docs/operations.md, Behind a proxy)")
