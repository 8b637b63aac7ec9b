"""Every migration can be applied, rolled back and applied again, without losing a row."""

from collections.abc import Callable
from typing import Any

import pytest

from nexus.config import Settings
from nexus.migrate import History, names
from tests.migrate.conftest import Checkout
from tests.sql import query

SEED = """
INSERT INTO users (id, email, password) VALUES (1, 'a@example.com', 'x'), (2, 'b@example.com', 'y');
INSERT INTO products (id, user_id, name, price, currency, status)
VALUES (1, 1, 'Course', 4999, 'USD', 'live'), (2, 2, 'Draft', 0, 'RUB', 'draft');
INSERT INTO orders (old_id, seller_id, product_id, product_name, email, name, status, amount, currency)
VALUES ('1', 1, 1, 'Course', 'c@example.com', 'C', 'paid', 4999, 'USD'),
    (NULL, NULL, NULL, 'Gone', 'd@example.com', '', 'created', 0, 'EUR');
"""


def rows(settings: Settings) -> dict[str, list[Any]]:
    """Return all rows of all tables except the history."""
    tables = query(
        settings,
        "SELECT quote_ident(tablename) FROM pg_tables"
        " WHERE schemaname = 'public' AND tablename <> 'migratehistory'",
    )
    return {
        table: query(settings, f"SELECT to_jsonb(t) FROM {table} t ORDER BY t::text") for (table,) in tables
    }


def losses(settings: Settings, history: History, files: list[str]) -> list[str]:
    """Apply and roll back every migration after the first over seeded rows; return those that change them."""
    found = []
    history.migrate(to=files[0])
    query(settings, SEED)
    for name in files[1:]:
        before = rows(settings)
        history.migrate(to=name)
        history.rollback()
        if rows(settings) != before:
            found.append(name)
        history.migrate(to=name)
    return found


def test_every_migration_can_be_rolled_back_and_applied_again(
    scratch: Settings, catalogue: Callable[[], list[Any]]
) -> None:
    history = History.of(scratch)
    for name in names():
        before = catalogue()
        assert history.migrate(to=name) == [name]
        up = catalogue()
        assert history.rollback() == [name]
        assert catalogue() == before
        assert history.migrate(to=name) == [name]
        assert catalogue() == up

    assert history.migrate() == []
    assert history.rollback(count=len(names())) == names()[::-1]
    assert catalogue() == [[], []]
    assert history.migrate() == names()
    assert catalogue() == up


def test_no_migration_loses_a_row(scratch: Settings) -> None:
    assert losses(scratch, History.of(scratch), names()) == []


@pytest.mark.parametrize(
    ("up", "down", "losing"),
    [
        ("ALTER TABLE users ADD COLUMN nick text", "ALTER TABLE users DROP COLUMN nick", 0),
        ("DELETE FROM orders WHERE old_id = '1'", "SELECT 1", 1),
        ("UPDATE orders SET name = NULL WHERE name = ''", "SELECT 1", 1),
        ("ALTER TABLE users RENAME TO people", "ALTER TABLE people RENAME TO users", 0),
        ("SELECT 1", "TRUNCATE users CASCADE", 1),
    ],
)
def test_the_check_finds_a_migration_that_loses_a_row(
    checkout: Checkout, up: str, down: str, losing: int
) -> None:
    first = names(checkout.migrations)[0]
    for later in names(checkout.migrations)[1:]:
        (checkout.migrations / f"{later}.py").unlink()
    name = checkout.add("change", up, down=(down,))

    assert losses(checkout.settings, checkout.history(), [first, name]) == [name] * losing
