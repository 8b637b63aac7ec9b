"""Migrations that fill the search column of existing products."""

from nexus.config import Settings
from nexus.migrate import History
from tests.sql import query

BEFORE, AFTER = "007_idempotency_keys", "008_search"
SELLER = "INSERT INTO users (id, email, password) VALUES (1, 'a@example.com', 'x')"
PRODUCTS = """
INSERT INTO products (id, user_id, name, description, price, currency, updated_at)
SELECT n, 1, 'Курс ' || n, 'Уроки', 1, 'USD', '2026-01-01' FROM generate_series(-5, 2500) AS n
"""
FOUND = "SELECT count(*) FROM products WHERE search @@ to_tsquery('russian', 'курсы & урок')"


def test_every_product_becomes_searchable_and_keeps_its_other_columns(scratch: Settings) -> None:
    history = History.of(scratch)
    history.migrate(to=BEFORE)
    query(scratch, SELLER)
    query(scratch, PRODUCTS)
    rows = "SELECT to_jsonb(p) - 'search' FROM products p ORDER BY id"
    before = query(scratch, rows)

    history.migrate(to=AFTER)

    assert query(scratch, FOUND) == [(2506,)]
    assert query(scratch, rows) == before


def test_running_again_fills_missing_search_columns(scratch: Settings) -> None:
    history = History.of(scratch)
    history.migrate(to=AFTER)
    query(scratch, SELLER)
    query(scratch, PRODUCTS)
    # As after a run that was killed half-way.
    query(scratch, "UPDATE products SET search = NULL WHERE id > 1200")
    query(scratch, f"DELETE FROM migratehistory WHERE name = '{AFTER}'")

    history.migrate(to=AFTER)

    assert query(scratch, FOUND) == [(2506,)]


def test_existing_products_are_searchable_by_words_separated_by_punctuation(scratch: Settings) -> None:
    history = History.of(scratch)
    history.migrate(to="011_orders_of_status")
    query(scratch, SELLER)
    query(scratch, PRODUCTS.replace("'Курс '", "'«Курс»/'").replace("'Уроки'", "'HTML/CSS'"))
    rows = "SELECT to_jsonb(p) - 'search' FROM products p ORDER BY id"
    before = query(scratch, rows)
    found = "SELECT count(*) FROM products WHERE search @@ to_tsquery('russian', 'курсы & css & 7')"
    assert query(scratch, found) == [(0,)]

    history.migrate()

    assert query(scratch, found) == [(1,)]
    assert query(scratch, found.replace(" & 7", "")) == [(2506,)]
    assert query(scratch, rows) == before
