"""`flask db reset`: an empty shop, only in development, without touching anyone else's tables."""

from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from nexus.config import Settings
from nexus.migrate import History, names
from nexus.migrate.check import differences
from tests.environment import flask
from tests.sql import query

COUNT = "SELECT count(*) FROM users"


@pytest.fixture
def stocked(shop: Settings) -> Settings:
    """A shop with a row in it."""
    query(shop, "INSERT INTO users (email, password) VALUES ('a', 'x')")
    return shop


def test_it_leaves_an_empty_shop_whatever_the_state_before(root: Path, stocked: Settings) -> None:
    query(stocked, "CREATE TABLE theirs AS SELECT 1 AS id")
    query(
        stocked, "DROP TABLE idempotency_keys, order_events, orders; ALTER TABLE products DROP COLUMN price"
    )

    run = flask(root, stocked, "db", "reset", "--yes")

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [
        *(f"applied {name}" for name in names()),
        "the shop is empty: flask seed adds the first user and products",
    ]
    assert query(stocked, COUNT) == [(0,)]
    assert differences(History.of(stocked)) == []
    assert query(stocked, "SELECT id FROM theirs") == [(1,)]


def test_production_is_never_reset(root: Path, stocked: Settings) -> None:
    run = flask(root, stocked, "db", "reset", "--yes", APP_ENV="production")

    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == "Error: this is production: flask db reset works only in development\n"
    assert query(stocked, COUNT) == [(1,)]


def test_without_a_terminal_reset_requires_yes(root: Path, stocked: Settings) -> None:
    run = flask(root, stocked, "db", "reset", typed="y\n")

    assert run.returncode == 1
    assert run.stderr == "Error: this drops every row of the shop: add --yes to do it\n"
    assert query(stocked, COUNT) == [(1,)]


def test_a_foreign_object_that_depends_on_our_tables_stops_the_reset(root: Path, stocked: Settings) -> None:
    query(stocked, "CREATE VIEW theirs AS SELECT email FROM users")

    run = flask(root, stocked, "db", "reset", "--yes")

    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert "nothing was dropped" in run.stderr
    assert "view theirs depends on table users" in run.stderr
    assert query(stocked, COUNT) == [(1,)]


def test_reset_stops_at_the_lock_timeout(root: Path, stocked: Settings) -> None:
    with closing(psycopg2.connect(**stocked.direct.parameters)) as reader:  # type: ignore
        reader.cursor().execute("SELECT FROM users")
        run = flask(root, stocked, "db", "reset", "--yes", MIGRATE_LOCK_TIMEOUT="1")

    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert "nothing was dropped: canceling statement due to lock timeout" in run.stderr
