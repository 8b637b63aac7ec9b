"""`flask db rehearse`: what migrations would do, found in a copy of which nothing stays."""

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

MIGRATION = '''"""What a test rehearses."""

TRANSACTION = {transaction}


def migrate(migrator, database, *, fake=False):
    migrator.sql({up!r})


def rollback(migrator, database, *, fake=False):
    migrator.sql({down!r})
'''


@pytest.fixture
def history(scratch: Settings, tmp_path: Path) -> History:
    """A migrated database with one user and one product in it."""
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


def locks(rehearsal: Rehearsal, direction: str) -> list[list[tuple[str, str, str | None]]]:
    (act,) = (act for act in rehearsal.acts if act.direction == direction)
    return [[(lock.table, lock.mode, lock.blocks) for lock in each.locks] for each in act.statements]


def test_with_nothing_pending_it_rehearses_nothing(root: Path, shop: Settings) -> None:
    run = flask(root, shop, "db", "rehearse")

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == "nothing to rehearse: no migration is pending\n"


def test_each_statement_tells_whom_it_would_keep_waiting(history: History, scratch: Settings) -> None:
    up = (
        "-- Semicolons; in a comment, and in a text:\n"
        "CREATE INDEX few ON users (password) WHERE password = 'a;b'; UPDATE users SET password = 'y';\n"
        "CREATE TABLE notes (user_id bigint REFERENCES products); ALTER TABLE users ADD note text; SELECT 1;"
    )
    add(history.directory, up=up, down="DROP TABLE notes; ALTER TABLE users DROP note; DROP INDEX few")

    rehearsal = rehearse(history, data=False)

    assert locks(rehearsal, "up") == [
        [("users", "ShareLock", "writers")],
        # It has a stronger one already.
        [],
        [("products", "ShareRowExclusiveLock", "writers")],
        [("users", "AccessExclusiveLock", "readers and writers")],
        [],
    ]
    assert locks(rehearsal, "down")[0] == [
        ("notes", "AccessExclusiveLock", "readers and writers"),
        ("products", "AccessExclusiveLock", "readers and writers"),
    ]
    assert rehearsal.problems == []
    assert rehearsal.losses == ["down drops table notes", "down drops column users.note"]
    assert query(scratch, "SELECT to_regclass('notes')") == [(None,)]
    assert query(scratch, COPIES) == []


def test_rows_are_copied_and_counted_if_asked(history: History, scratch: Settings) -> None:
    up = (
        "CREATE TABLE names AS SELECT id, name FROM products; DELETE FROM products;"
        "CREATE UNIQUE INDEX once ON users (lower(email))"
    )
    add(history.directory, up=up, down="DROP TABLE names; DROP INDEX once")

    rehearsal = rehearse(history, data=True)

    assert rehearsal.problems == ["up loses 1 of 1 rows of products"]
    assert rehearsal.losses == ["down drops table names with 1 rows"]
    assert query(scratch, "SELECT count(*) FROM products") == [(1,)]


def test_a_way_down_that_does_not_lead_back_is_a_problem(history: History) -> None:
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


def test_a_way_up_that_does_not_go_twice_is_a_problem(history: History) -> None:
    name = add(history.directory, up="ALTER TABLE products ADD note text", down="SELECT 1")

    assert rehearse(history, data=False).problems == [
        f'up again: {name} failed and was rolled back: column "note" of relation "products" already exists',
        "down does not restore the schema: column products.note is new",
    ]


def test_what_runs_outside_a_transaction_is_rehearsed_so(history: History) -> None:
    add(
        history.directory,
        up="CREATE INDEX CONCURRENTLY few ON users (password)",
        down="DROP INDEX CONCURRENTLY few",
        transaction=False,
    )

    rehearsal = rehearse(history, data=False)

    assert [[each.transaction for each in act.statements] for act in rehearsal.acts] == [[False], [False]]
    assert rehearsal.problems == []


def test_one_that_fails_leaves_no_copy(history: History, scratch: Settings) -> None:
    name = add(history.directory, up="ALTER TABLE products ADD note text; SELECT 1 / 0", down="SELECT 1")

    with pytest.raises(MigrationError, match=f"^{name} failed and was rolled back: division by zero$"):
        rehearse(history, data=False)
    assert query(scratch, COPIES) == []
    assert query(scratch, "SELECT count(*) FROM migratehistory") == [(len(names()),)]


def test_a_database_of_any_name_is_rehearsed(scratch: Settings, tmp_path: Path) -> None:
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
def test_one_that_is_interrupted_leaves_no_copy(checkout: Checkout, number: signal.Signals) -> None:
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


def test_ctrl_c_while_it_copies_leaves_no_copy_either(checkout: Checkout) -> None:
    checkout.history().migrate()
    add(checkout.migrations, up="SELECT 1", down="SELECT 1")
    with held(checkout.settings, "LOCK TABLE orders"):
        process = checkout.start("db", "rehearse")
        until_someone_waits(checkout.settings)
        begun = query(checkout.settings, COPIES)
        # A terminal tells every program of the command at once.
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)

    assert len(begun) == 1
    assert (process.returncode, said.strip()) == (1, "Aborted!")
    assert query(checkout.settings, COPIES) == []


def test_a_copy_goes_although_somebody_looks_into_it(history: History, scratch: Settings) -> None:
    with copied(history, data=False) as copy:
        reader = connect(copy, wait=5)

    try:
        assert query(scratch, COPIES) == []
    finally:
        reader.close()


def test_what_sigterm_did_before_it_does_again_afterwards(app: Flask) -> None:
    before = signal.getsignal(signal.SIGTERM)

    run = app.test_cli_runner().invoke(args=["db", "rehearse"])

    after = signal.signal(signal.SIGTERM, before)
    assert run.stdout == "nothing to rehearse: no migration is pending\n"
    assert after == before


def test_the_command_reports_for_people_and_for_programs(checkout: Checkout) -> None:
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
def test_statements_end_at_semicolons_that_end_them(written: list[str]) -> None:
    whole = [text.strip() for text in written if any(word in text for word in ("SELECT", "'", '"', "$"))]
    real = [text for text in whole if list(statements(text))]

    assert list(statements(";".join(written))) == [each for text in real for each in statements(text)]
    assert all(len(list(statements(text))) == 1 for text in real)
