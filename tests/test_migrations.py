"""The schema's history: applied once, undone whole, and what the database itself holds to."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.errors import CheckViolation, UniqueViolation

from nexus.config import Settings
from nexus.errors import DatabaseUnavailable
from nexus.migrate import History, MigrationError, names
from nexus.migrate.history import DIRECTORY
from tests.environment import environment
from tests.sql import query

WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def catalogue(settings: Settings) -> list[Any]:
    """All columns, constraints, indexes and triggers of our tables."""
    columns = query(
        settings,
        "SELECT table_name, column_name, data_type, is_nullable, column_default"
        " FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2",
    )
    rest = query(
        settings,
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace"
        " UNION SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
        " UNION SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
        " ORDER BY 1, 2",
    )
    return [columns, rest]


def test_migrations_are_numbered_without_a_gap() -> None:
    assert [name[:3] for name in names()] == [f"{number:03}" for number in range(1, len(names()) + 1)]


def test_every_migration_goes_up_down_and_up_again(scratch: Settings) -> None:
    assert History.of(scratch).migrate() == names()
    assert History.of(scratch).migrate() == []
    up = catalogue(scratch)

    assert History.of(scratch).rollback(count=len(names())) == names()[::-1]
    assert query(scratch, "SELECT to_regclass('users'), to_regproc('touch_updated_at')") == [(None, None)]
    assert History.of(scratch).migrate() == names()
    assert catalogue(scratch) == up


def test_runs_at_once_apply_each_migration_once(scratch: Settings) -> None:
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(History.migrate, [History.of(scratch)] * 4))

    assert sorted(runs) == sorted([names(), [], [], []])
    assert query(scratch, "SELECT name FROM migratehistory ORDER BY id") == [(name,) for name in names()]


def test_history_has_each_name_once(scratch: Settings) -> None:
    History.of(scratch).migrate()

    with pytest.raises(UniqueViolation):
        query(scratch, "INSERT INTO migratehistory (name, migrated_at) VALUES (%s, now())", names()[0])


def test_a_migration_that_fails_leaves_nothing(scratch: Settings, tmp_path: Path) -> None:
    migrations = tmp_path / "migrations"
    shutil.copytree(DIRECTORY, migrations)
    number = len(names()) + 1
    broken = migrations / f"{number:03}_broken.py"
    broken.write_text(
        "def migrate(migrator, database, fake=False):\n"
        "    migrator.sql('CREATE TABLE half (id int)')\n"
        "    migrator.sql('SELECT 1 / 0')\n"
    )
    history = History(scratch.direct, wait=5, directory=migrations)

    with pytest.raises(MigrationError, match=f"^{broken.stem} failed and was undone: division by zero$"):
        history.migrate()

    assert query(scratch, "SELECT to_regclass('half')") == [(None,)]
    assert len(query(scratch, "SELECT name FROM migratehistory")) == number - 1
    broken.unlink()
    assert history.migrate() == []


def test_an_unreachable_database_is_said_in_one_line(scratch: Settings) -> None:
    down = scratch.model_copy(update={"database_url": "postgresql://nobody@127.0.0.1:1/nothing"})

    with pytest.raises(DatabaseUnavailable, match="refused"):
        History.of(down).migrate()


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO products (user_id, name, price, currency) VALUES (1, 'x', -1, 'USD')",
        "INSERT INTO products (user_id, name, price, currency) VALUES (1, 'x', 1, 'usd')",
        "INSERT INTO products (user_id, name, price, currency, status) VALUES (1, 'x', 1, 'USD', 'sold')",
        "INSERT INTO orders (product_name, email, amount, currency) VALUES ('x', 'e', -1, 'USD')",
        "INSERT INTO orders (product_name, email, amount, currency, status) VALUES ('x', 'e', 1, 'USD', 'x')",
    ],
)
def test_the_database_refuses_what_no_row_may_be(scratch: Settings, sql: str) -> None:
    History.of(scratch).migrate()
    query(scratch, "INSERT INTO users (id, email, password) VALUES (1, 'a', 'x')")

    with pytest.raises(CheckViolation):
        query(scratch, sql)


def test_the_database_keeps_addresses_unique_and_updated_at_right(scratch: Settings) -> None:
    History.of(scratch).migrate()
    query(scratch, "INSERT INTO users (email, password, updated_at) VALUES ('Иван@a.рф', 'x', '2020-01-01')")

    with pytest.raises(UniqueViolation):
        query(scratch, "INSERT INTO users (email, password) VALUES ('иВАН@A.рф', 'x')")
    query(scratch, "UPDATE users SET password = 'x'")
    assert query(scratch, "SELECT updated_at < now() - interval '1 year' FROM users") == [(True,)]
    query(scratch, "UPDATE users SET password = 'y', updated_at = '2020-01-01'")
    assert query(scratch, "SELECT updated_at > now() - interval '1 minute' FROM users") == [(True,)]


def test_money_and_ids_have_64_bits(scratch: Settings) -> None:
    History.of(scratch).migrate()
    query(scratch, "INSERT INTO users (id, email, password) VALUES (9223372036854775807, 'a', 'x')")
    big = query(
        scratch,
        "INSERT INTO orders (product_name, email, amount, currency)"
        " VALUES ('x', 'e', %s, 'USD') RETURNING amount",
        2**63 - 1,
    )

    assert big == [(2**63 - 1,)]


def test_a_killed_migration_is_taken_up_by_the_next(scratch: Settings, root: Path) -> None:
    with closing(psycopg2.connect(**scratch.direct.parameters)) as blocker:  # type: ignore
        blocker.cursor().execute("CREATE TABLE orders (id int)")
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "migrate"], cwd=root, env=environment(scratch)
        )
        try:
            # It waits for our uncommitted table of the same name when it is in the middle of its own.
            while not query(scratch, WAITING):
                assert process.poll() is None
        finally:
            process.kill()
            process.wait()
        blocker.rollback()

    assert History.of(scratch).migrate() == names()
