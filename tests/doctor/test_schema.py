"""Problems with tables and indexes."""

import psycopg2
import pytest

from nexus.config import Settings
from nexus.migrate import names
from tests.doctor.conftest import Doctor
from tests.sql import query


@pytest.fixture
def large(shop: Settings) -> Settings:
    """The shop with enough users for an index to matter."""
    query(
        shop,
        "INSERT INTO users (email, password) SELECT n || '@test.com', 'x' FROM generate_series(1, 20000) n",
    )
    return shop


def test_pending_migrations_fail(doctor: Doctor, scratch: Settings) -> None:
    report = doctor(scratch)

    assert report.status("migrations") == "fail"
    assert report.detail("migrations") == f"pending: {', '.join(names())}"
    assert report.advice("migrations") == "flask migrate"
    assert report.status("drift") == "warn"
    assert report.detail("tables") == "none yet"


def test_manual_changes_of_the_schema_fail(doctor: Doctor, shop: Settings) -> None:
    assert doctor(shop).status("drift") == "ok"
    query(shop, "DROP INDEX orders_of_seller; ALTER TABLE products ALTER price TYPE int")

    report = doctor(shop)
    assert report.status("drift") == "fail"
    assert "missing index orders_of_seller; products.price: the database has" in report.detail("drift")
    assert report.advice("drift").startswith("flask db check")

    query(shop, "DROP TABLE idempotency_keys, order_events, orders")
    query(shop, "DROP TRIGGER touch ON users; DROP INDEX users_email")
    assert doctor(shop).detail("drift").endswith("; and 6 more")


def test_tables_are_listed_with_their_size(doctor: Doctor, large: Settings) -> None:
    first = doctor(large).detail("tables").split(", o")[0]

    assert first.startswith("users ")
    assert "20,000 rows" in first


def test_an_invalid_index_fails_until_the_advice_is_followed(doctor: Doctor, shop: Settings) -> None:
    query(shop, "INSERT INTO users (email, password) VALUES ('a@test.com', 'x'), ('b@test.com', 'x')")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        query(shop, "CREATE UNIQUE INDEX CONCURRENTLY users_password ON users (password)")

    report = doctor(shop)
    assert (report.status("invalid indexes"), report.detail("invalid indexes")) == ("fail", "users_password")

    query(shop, "UPDATE users SET password = email")
    query(shop, report.advice("invalid indexes").splitlines()[1])
    assert doctor(shop).status("invalid indexes") == "ok"


def test_an_unused_index_is_reported_if_its_table_is_large(doctor: Doctor, large: Settings) -> None:
    query(large, "CREATE INDEX users_by_hash ON users (password)")
    query(large, "CREATE INDEX orders_by_name ON orders (name)")

    report = doctor(large)
    assert report.status("unused indexes") == "warn"
    assert report.detail("unused indexes").startswith("users_by_hash (")
    assert "orders" not in report.detail("unused indexes")

    query(large, "SET enable_seqscan = off; SELECT FROM users WHERE password = 'y'")
    assert doctor(large).status("unused indexes") == "ok"


def test_sequential_scans_of_a_large_table_are_reported(doctor: Doctor, large: Settings) -> None:
    assert doctor(large).status("missing indexes") == "ok"
    query(large, "DO $$ BEGIN FOR n IN 1..120 LOOP PERFORM FROM users WHERE password = 'y'; END LOOP; END $$")

    report = doctor(large)
    assert report.status("missing indexes") == "warn"
    assert "users (12" in report.detail("missing indexes")
