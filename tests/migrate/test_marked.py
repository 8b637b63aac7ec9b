"""Non-transactional migrations: run statement by statement, and repeated after a failure."""

import re
from pathlib import Path

import pytest

from nexus.config import Settings
from nexus.migrate import MigrationError, names
from nexus.migrate.running import Limits
from tests.migrate.conftest import Checkout, kill, reach, session
from tests.sql import query

BUILD = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS users_password ON users (password)"
DROP = "DROP INDEX CONCURRENTLY IF EXISTS users_password"
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('users_password')"


@pytest.fixture
def marked(checkout: Checkout) -> str:
    """The name of a migration that builds an index concurrently."""
    checkout.history().migrate()
    return checkout.add("index", BUILD, down=(DROP,), transaction=False)


def insert_duplicates(settings: Settings) -> None:
    query(settings, "INSERT INTO users (email, password) VALUES ('a', 'same'), ('b', 'same')")


def test_an_index_is_built_and_dropped_concurrently(checkout: Checkout, marked: str) -> None:
    assert checkout.history().migrate() == [marked]
    assert query(checkout.settings, VALID) == [(True,)]
    assert checkout.history().rollback() == [marked]
    assert query(checkout.settings, VALID) == []
    assert checkout.history().migrate() == [marked]
    assert checkout.applied() == [*names(), marked]


@pytest.mark.parametrize(
    "build",
    [
        BUILD,
        BUILD.replace(" IF NOT EXISTS", ""),
        'create unique index\n  concurrently "users_password" ON ONLY public.users (password)',
    ],
)
def test_an_invalid_index_left_by_a_failed_run_is_rebuilt(
    checkout: Checkout, marked: str, build: str
) -> None:
    checkout.add("other", transaction=False)
    checkout.write(
        marked, (checkout.migrations / f"{marked}.py").read_text().replace(repr(BUILD), repr(build))
    )
    insert_duplicates(checkout.settings)

    with pytest.raises(MigrationError, match=f"^{marked} failed and may have been applied in part, .*$"):
        checkout.history().migrate()
    assert query(checkout.settings, VALID) == [(False,)]
    assert checkout.applied() == names()

    query(checkout.settings, "UPDATE users SET password = email")
    assert checkout.history().migrate()[0] == marked
    assert query(checkout.settings, VALID) == [(True,)]


def test_an_invalid_index_left_by_a_killed_run_is_rebuilt(checkout: Checkout, marked: str) -> None:
    with session(checkout, "INSERT INTO users (email, password) VALUES ('a', 'x')"):
        process = checkout.start("migrate", MIGRATE_LOCK_TIMEOUT="0")
        try:
            # It has created the index and waits for the writers of the table before filling it.
            reach(checkout, process, "^CREATE UNIQUE INDEX")
            while not query(checkout.settings, VALID):
                assert process.poll() is None
        finally:
            kill(process)

    assert checkout.flask("migrate") == (0, f"applied {marked}\n", "")
    assert query(checkout.settings, VALID) == [(True,)]
    assert checkout.applied() == [*names(), marked]


def test_an_invalid_index_with_that_name_in_another_schema_is_left_alone(
    checkout: Checkout, marked: str
) -> None:
    query(checkout.settings, "CREATE SCHEMA other")
    query(
        checkout.settings, "CREATE TABLE other.users AS SELECT 'same' AS password FROM generate_series(1, 2)"
    )
    with pytest.raises(Exception, match="could not create unique index"):
        query(checkout.settings, BUILD.replace("ON users", "ON other.users"))

    assert checkout.history().migrate() == [marked]
    assert query(checkout.settings, "SELECT to_regclass('other.users_password') IS NOT NULL") == [(True,)]


def test_the_lock_timeout_applies_outside_a_transaction(checkout: Checkout, marked: str) -> None:
    history = checkout.history()
    history.limits = Limits(lock=1)
    with (
        session(checkout, "INSERT INTO users (email, password) VALUES ('a', 'x')"),
        pytest.raises(
            MigrationError, match=f"^{marked} waited 1 s for a lock that another session holds, and may"
        ),
    ):
        history.migrate()

    assert history.migrate() == [marked]


def test_timeouts_of_a_non_transactional_migration_do_not_affect_the_next(
    checkout: Checkout, marked: str
) -> None:
    shown = "current_setting('lock_timeout') AS wait, current_setting('statement_timeout') AS run"
    checkout.add("marked", f"CREATE TABLE one AS SELECT {shown}", transaction=False)
    checkout.add("plain", f"CREATE TABLE two AS SELECT {shown}")

    assert checkout.flask("migrate", MIGRATE_STATEMENT_TIMEOUT="9")[0] == 0
    assert query(checkout.settings, "TABLE one UNION ALL TABLE two") == [("5s", "0"), ("5s", "9s")]


def test_a_non_transactional_migration_is_refused_on_a_pooler_before_anything_is_run(
    checkout: Checkout, marked: str
) -> None:
    plain = checkout.add("plain")
    url = str(checkout.settings.database_url)
    url += ("&" if "?" in url else "?") + "pgbouncer=true"

    code, out, err = checkout.flask("migrate", DATABASE_URL=url)

    assert (code, out) == (1, "")
    assert err.startswith(f"Error: {marked} runs outside a transaction, where a pooler")
    assert plain not in checkout.applied()


def test_the_examples_of_the_readme_can_be_run(checkout: Checkout, root: Path) -> None:
    index, backfill = re.findall(
        r"```python\n(.+?)```", (root / "migrations" / "README.md").read_text(), re.S
    )
    checkout.history().migrate()
    first, second = checkout.add("currency"), checkout.add("backfill")
    checkout.write(first, index)
    checkout.write(second, backfill)
    query(
        checkout.settings,
        "INSERT INTO orders (product_name, email, name, amount, currency)"
        " SELECT 'x', 'e', CASE mod(n, 2) WHEN 1 THEN 'N' ELSE '' END, n, 'USD'"
        " FROM generate_series(1, 4200) n",
    )

    assert checkout.history().migrate() == [first, second]
    assert query(checkout.settings, "SELECT count(*), count(name), min(name) FROM orders") == [
        (4200, 2100, "N")
    ]
    assert query(checkout.settings, "SELECT to_regclass('orders_by_currency') IS NOT NULL") == [(True,)]
    # In batches, each in its own transaction: 2100 rows are three batches.
    assert query(checkout.settings, "SELECT count(DISTINCT updated_at) FROM orders WHERE name IS NULL") == [
        (3,)
    ]
    assert checkout.history().rollback(count=2) == [second, first]
