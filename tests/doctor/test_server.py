"""Problems with the server and with roles."""

from contextlib import closing

import pytest

from nexus.config import Settings
from nexus.db.connection import connect
from tests.conftest import created
from tests.doctor.conftest import Doctor, name
from tests.sql import query

#: Puts our functions before the server's, to simulate an old server or a wrong clock.
OVERRIDE = "ALTER DATABASE {} SET search_path = public, pg_catalog"
OLD = """
CREATE FUNCTION public.current_setting(name text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN left(name, 14) = 'server_version' THEN '140012' ELSE pg_catalog.current_setting(name) END
$$
"""
LATE = """
CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$
    SELECT pg_catalog.clock_timestamp() - interval '1 hour'
$$
"""


def test_an_old_server_fails(doctor: Doctor, shop: Settings) -> None:
    query(shop, OVERRIDE.format(name(shop)))
    query(shop, OLD)

    report = doctor(shop)
    assert report.status("version") == "fail"
    assert "15 or newer" in report.advice("version")


def test_a_wrong_clock_is_reported(doctor: Doctor, shop: Settings) -> None:
    query(shop, OVERRIDE.format(name(shop)))
    query(shop, LATE)

    report = doctor(shop)
    assert report.status("clock") == "warn"
    assert "3600 s behind" in report.detail("clock")


@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1", "SQL_ASCII"])
def test_a_locale_without_cyrillic_letters_fails(doctor: Doctor, settings: Settings, encoding: str) -> None:
    options = f"TEMPLATE template0 ENCODING '{encoding}' LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'"
    with created(settings, options) as poor:
        report = doctor(poor)

    assert report.status("locale") == "fail"
    assert report.detail("locale").startswith(f"{encoding}, C")
    assert "LOCALE 'C.UTF-8'" in report.advice("locale")


def test_missing_privileges_fail_with_the_grants_as_advice(
    doctor: Doctor, shop: Settings, guest: tuple[str, str]
) -> None:
    role, url = guest

    report = doctor(shop, database_url=url)
    assert report.status("rights") == "fail"
    assert report.advice("rights") == f"as its owner: GRANT CREATE ON SCHEMA public TO {role};"
    assert report.status("migrations") == "fail"
    assert "permission denied for table migratehistory" in report.detail("migrations")

    query(shop, report.advice("rights").removeprefix("as its owner: "))
    report = doctor(shop, database_url=url)
    assert report.status("rights") == "fail"
    advised = report.advice("rights").splitlines()
    assert advised[0] == "as their owner, or as a superuser:"
    for statement in advised[1:]:
        query(shop, statement)

    report = doctor(shop, database_url=url)
    assert (report.status("rights"), report.status("migrations")) == ("ok", "ok")
    assert report.status("drift") == "warn"
    assert "permission denied for database" in report.detail("drift")


def test_the_web_process_needs_only_privileges_on_rows(
    doctor: Doctor, shop: Settings, guest: tuple[str, str]
) -> None:
    _, url = guest

    report = doctor(shop, database_pool_url=url)
    assert report.status("pool rights") == "fail"
    assert (
        "audit, buckets, idempotency_keys, order_events, orders, products, refresh_tokens, resets, sessions, "
        "users" in report.detail("pool rights")
    )

    query(shop, report.advice("pool rights").removeprefix("as their owner: "))
    report = doctor(shop, database_pool_url=url)
    assert report.status("pool rights") == "ok"
    assert report.code == 0


def test_a_missing_schema_fails(doctor: Doctor, shop: Settings) -> None:
    query(shop, f"ALTER DATABASE {name(shop)} SET search_path = nowhere")

    assert doctor(shop).status("rights") == "fail"


def test_more_workers_than_the_server_has_connections_for_fail(doctor: Doctor, shop: Settings) -> None:
    report = doctor(shop, web_concurrency=200)

    assert report.status("connections") == "fail"
    assert report.detail("connections").startswith("1602 needed (WEB_CONCURRENCY 200 x 8 each")


def test_the_connection_limit_of_a_role_counts(
    doctor: Doctor, shop: Settings, guest: tuple[str, str]
) -> None:
    role, url = guest
    query(shop, f"ALTER ROLE {role} CONNECTION LIMIT 9")

    assert "18 needed" in doctor(shop, database_url=url).detail("connections")
    assert doctor(shop, database_url=url).status("connections") == "fail"
    assert doctor(shop, database_url=url, database_pool_size=3).status("connections") == "ok"


def test_connections_taken_by_others_are_reported(doctor: Doctor, shop: Settings, settings: Settings) -> None:
    ((most,),) = query(
        shop,
        "SELECT sum(setting::int * CASE name WHEN 'max_connections' THEN 1 ELSE -1 END)::int FROM pg_settings"
        " WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')",
    )
    with closing(connect(settings.direct, wait=5)):
        report = doctor(shop, web_concurrency=1, database_pool_size=most - 2)

    assert report.status("connections") == "warn"
