"""`flask db rehearse`: the effects of pending migrations, tried in a temporary copy of the database."""

import json
import os
import shutil
import signal
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from nexus.config import Settings
from nexus.db.connection import connect
from nexus.migrate import History, MigrationError, names
from nexus.migrate.files import DIRECTORY
from nexus.migrate.observed import statements
from nexus.migrate.rehearse import Rehearsal, rehearse
from nexus.migrate.scratch import copied
from tests.conftest import renamed
from tests.environment import flask
from tests.locks import held, until_someone_waits
from tests.migrate.conftest import Checkout
from tests.sql import query

NUMBER = f"{len(names()) + 1:03}"
COPIES = "SELECT datname FROM pg_database WHERE datname LIKE current_database() || '_rehearsal_%%'"
SLEEPING = (
    "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%%' AND state = 'active'"
    " AND datname LIKE current_database() || '_rehearsal_%%'"
)

MIGRATION = '''"""A migration for a rehearsal."""

TRANSACTION = {transaction}


def migrate(migrator, database, *, fake=False):
    migrator.sql({up!r})


def rollback(migrator, database, *, fake=False):
    migrator.sql({down!r})
'''


@pytest.fixture
def history(scratch: Settings, tmp_path: Path) -> History:
    """The history of a migrated database with one user and one product."""
    shutil.copytree(DIRECTORY, tmp_path / "migrations")
    history = History(scratch.direct, wait=5, directory=tmp_path / "migrations")
    history.migrate()
    query(scratch, "INSERT INTO users (id, email, password) VALUES (1, 'ИВАН', 'x')")
    query(scratch, "INSERT INTO products (user_id, name, price, currency) VALUES (1, 'x', 1, 'USD')")
    return history


def add(directory: Path, *, up: str, down: str, transaction: bool = True) -> str:
    name = f"{NUMBER}_rehearsed"
    (directory / f"{name}.py").write_text(MIGRATION.format(up=up, down=down, transaction=transaction))
    return name


def locks_of(rehearsal: Rehearsal, direction: str) -> list[list[tuple[str, str, str | None]]]:
    (act,) = (act for act in rehearsal.acts if act.direction == direction)
    return [[(lock.table, lock.mode, lock.blocks) for lock in each.locks] for each in act.statements]


def test_without_pending_migrations_there_is_nothing_to_rehearse(root: Path, shop: Settings) -> None:
    run = flask(root, shop, "db", "rehearse")

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == "nothing to rehearse: no migration is pending\n"


def test_the_locks_of_each_statement_and_whom_they_block_are_reported(
    history: History, scratch: Settings
) -> None:
    up = (
        "-- Semicolons; in a comment, and in a text:\n"
        "CREATE INDEX few ON users (password) WHERE password = 'a;b'; UPDATE users SET password = 'y';\n"
        "CREATE TABLE notes (user_id bigint REFERENCES products); ALTER TABLE users ADD note text; SELECT 1;"
    )
    add(history.directory, up=up, down="DROP TABLE notes; ALTER TABLE users DROP note; DROP INDEX few")

    rehearsal = rehearse(history, data=False)

    assert locks_of(rehearsal, "up") == [
        [("users", "ShareLock", "writers")],
        # The transaction already holds a stronger lock.
        [],
        [("products", "ShareRowExclusiveLock", "writers")],
        [("users", "AccessExclusiveLock", "readers and writers")],
        [],
    ]
    assert locks_of(rehearsal, "down")[0] == [
        ("notes", "AccessExclusiveLock", "readers and writers"),
        ("products", "AccessExclusiveLock", "readers and writers"),
    ]
    assert rehearsal.problems == []
    assert rehearsal.losses == ["down drops table notes", "down drops column users.note"]
    assert query(scratch, "SELECT to_regclass('notes')") == [(None,)]
    assert query(scratch, COPIES) == []


def test_with_data_lost_rows_are_counted(history: History, scratch: Settings) -> None:
    up = (
        "CREATE TABLE names AS SELECT id, name FROM products; DELETE FROM products;"
        "CREATE UNIQUE INDEX once ON users (lower(email))"
    )
    add(history.directory, up=up, down="DROP TABLE names; DROP INDEX once")

    rehearsal = rehearse(history, data=True)

    assert rehearsal.problems == ["up loses 1 of 1 rows of products"]
    assert rehearsal.losses == ["down drops table names with 1 rows"]
    assert query(scratch, "SELECT count(*) FROM products") == [(1,)]


def test_a_rollback_that_does_not_restore_the_schema_is_a_problem(history: History) -> None:
    add(
        history.directory,
        up="ALTER TABLE products ADD note text; ALTER TABLE products ALTER status SET DEFAULT 'draft'",
        down="ALTER TABLE products DROP note, ALTER status DROP DEFAULT, DROP CONSTRAINT products_price",
    )

    assert rehearse(history, data=False).problems == [
        "down does not restore the schema: column products.status has no default for DEFAULT 'live'::text",
        "down does not restore the schema: constraint products_price is gone",
        "up again differs from up: constraint products_price is gone",
    ]


def test_a_migration_that_cannot_be_applied_again_is_a_problem(history: History) -> None:
    name = add(history.directory, up="ALTER TABLE products ADD note text", down="SELECT 1")

    assert rehearse(history, data=False).problems == [
        f'up again: {name} failed and was rolled back: column "note" of relation "products" already exists',
        "down does not restore the schema: column products.note is new",
    ]


def test_a_non_transactional_migration_is_rehearsed_outside_a_transaction(history: History) -> None:
    add(
        history.directory,
        up="CREATE INDEX CONCURRENTLY few ON users (password)",
        down="DROP INDEX CONCURRENTLY few",
        transaction=False,
    )

    rehearsal = rehearse(history, data=False)

    assert [[statement.transaction for statement in act.statements] for act in rehearsal.acts] == [
        [False],
        [False],
    ]
    assert rehearsal.problems == []


def test_a_failed_rehearsal_leaves_no_copy(history: History, scratch: Settings) -> None:
    name = add(history.directory, up="ALTER TABLE products ADD note text; SELECT 1 / 0", down="SELECT 1")

    with pytest.raises(MigrationError, match=f"^{name} failed and was rolled back: division by zero$"):
        rehearse(history, data=False)
    assert query(scratch, COPIES) == []
    assert query(scratch, "SELECT count(*) FROM migratehistory") == [(len(names()),)]


def test_a_database_with_any_name_can_be_rehearsed(scratch: Settings, tmp_path: Path) -> None:
    name = f'{query(scratch, "SELECT current_database()")[0][0]} 100%-"Ёлка"'
    quoted = name.replace('"', '""').replace("%", "%%")
    query(scratch, f'CREATE DATABASE "{quoted}"')
    try:
        odd = scratch.model_copy(update={"database_url": renamed(str(scratch.database_url), quote(name))})
        shutil.copytree(DIRECTORY, tmp_path / "migrations")
        history = History(odd.direct, wait=5, directory=tmp_path / "migrations")
        history.migrate()
        add(history.directory, up="ALTER TABLE users ADD note text", down="ALTER TABLE users DROP note")

        assert rehearse(history, data=False).problems == []
        assert query(odd, COPIES) == []
    finally:
        query(scratch, f'DROP DATABASE "{quoted}" WITH (FORCE)')


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_rehearsal_leaves_no_copy(checkout: Checkout, number: signal.Signals) -> None:
    checkout.history().migrate()
    add(checkout.migrations, up="SELECT pg_sleep(600)", down="SELECT 1")
    process = checkout.start("db", "rehearse")
    try:
        while not query(checkout.settings, SLEEPING):
            assert process.poll() is None
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()

    assert (process.returncode, said.strip()) == (1, "Aborted!")
    assert query(checkout.settings, COPIES) == []


def test_ctrl_c_while_copying_leaves_no_copy(checkout: Checkout) -> None:
    checkout.history().migrate()
    add(checkout.migrations, up="SELECT 1", down="SELECT 1")
    with held(checkout.settings, "LOCK TABLE orders"):
        process = checkout.start("db", "rehearse")
        until_someone_waits(checkout.settings)
        begun = query(checkout.settings, COPIES)
        # A terminal sends the signal to the whole process group.
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)

    assert len(begun) == 1
    assert (process.returncode, said.strip()) == (1, "Aborted!")
    assert query(checkout.settings, COPIES) == []


def test_a_copy_is_dropped_despite_open_connections(history: History, scratch: Settings) -> None:
    with copied(history, data=False) as copy:
        reader = connect(copy, wait=5)

    try:
        assert query(scratch, COPIES) == []
    finally:
        reader.close()


def test_the_sigterm_handler_is_restored(app: Flask) -> None:
    before = signal.getsignal(signal.SIGTERM)

    run = app.test_cli_runner().invoke(args=["db", "rehearse"])

    after = signal.signal(signal.SIGTERM, before)
    assert run.stdout == "nothing to rehearse: no migration is pending\n"
    assert after == before


def test_the_command_reports_as_text_and_as_json(checkout: Checkout) -> None:
    checkout.history().migrate()
    name = add(checkout.migrations, up="ALTER TABLE users ADD note text", down="ALTER TABLE users DROP note")

    code, plain, err = checkout.flask("db", "rehearse", "--data")
    listed = checkout.flask("db", "rehearse", "--json")

    assert (code, err, listed[0]) == (0, "", 0)
    heads = [line for line in plain.splitlines() if not line.startswith(" ")]
    assert heads == [
        f"{name}, up:",
        f"{name}, down:",
        "down drops column users.note",
        "up, down and up again give the expected schemas",
    ]
    assert "AccessExclusive on users: blocks readers and writers" in plain
    up, _ = json.loads(listed[1])["acts"]
    (statement,) = up["statements"]
    assert (statement["sql"], statement["locks"]) == (
        "ALTER TABLE users ADD note text",
        [{"table": "users", "mode": "AccessExclusive", "blocks": "readers and writers"}],
    )


PIECES = st.sampled_from(
    [
        "SELECT 1",
        "'a;b'",
        "E'\\';'",
        '"x;y"',
        "$$ ; $$",
        "$f$ ; $$ ; $f$",
        "-- ; '\n",
        "/* ; */",
        " ",
        "''';'",
    ]
)


@given(st.lists(st.lists(PIECES, min_size=1).map(" ".join)))
def test_sql_is_split_only_at_semicolons_that_end_a_statement(written: list[str]) -> None:
    whole = [text.strip() for text in written if any(word in text for word in ("SELECT", "'", '"', "$"))]
    real = [text for text in whole if list(statements(text))]

    assert list(statements(";".join(written))) == [each for text in real for each in statements(text)]
    assert all(len(list(statements(text))) == 1 for text in real)
