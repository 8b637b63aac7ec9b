"""`flask db revision`: drafts that can be run and rolled back, and make the schema match the models."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from nexus.config import Settings
from nexus.migrate import History, names
from nexus.migrate.check import SchemaError, differences, lines
from nexus.migrate.draft import write
from nexus.migrate.files import DIRECTORY
from tests.migrate.conftest import Checkout
from tests.sql import query

NEXT = f"{len(names()) + 1:03}"

IDLE = "BEGIN RETURN NEW; END"
#: Manual changes that a draft reverts completely, so that any of them can be combined.
DERIVED = (
    "ALTER TABLE products DROP CONSTRAINT products_price",
    "ALTER TABLE products DROP CONSTRAINT products_status, ADD CONSTRAINT products_status CHECK (true)",
    "DROP INDEX orders_of_seller",
    "DROP INDEX users_email; CREATE INDEX users_email ON users (email)",
    "ALTER TABLE products ALTER status SET DEFAULT 'draft'",
    "ALTER TABLE orders ALTER status DROP DEFAULT",
    "ALTER TABLE orders ALTER currency DROP NOT NULL, ALTER email DROP NOT NULL",
    "DROP TRIGGER touch ON users",
    f"CREATE OR REPLACE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS '{IDLE}'",
    "CREATE INDEX mine ON orders (name) WHERE name LIKE 'a%%'",
    "ALTER TABLE orders DROP COLUMN name",
    """ALTER TABLE users ADD "a %% note" text DEFAULT E'\\\\ """ + '"""' + """ %%s а'""",
    "ALTER TABLE users ADD note text NOT NULL DEFAULT '', ADD CONSTRAINT short CHECK (length(note) < 99)",
    "ALTER TABLE orders DROP CONSTRAINT orders_product_id_fkey",
    "DROP TABLE buckets, order_events",
)


@pytest.fixture
def history(scratch: Settings, tmp_path: Path) -> History:
    """A migrated database, with a folder for the next migration."""
    shutil.copytree(DIRECTORY, tmp_path / "migrations")
    history = History(scratch.direct, wait=5, directory=tmp_path / "migrations")
    history.migrate()
    return history


EVERYTHING = (
    "DROP TABLE audit, idempotency_keys, order_events, orders, products, refresh_tokens, resets, sessions,"
    " users"
)


@pytest.mark.parametrize("change", [*DERIVED, EVERYTHING])
def test_a_draft_makes_the_schema_match_the_models_and_can_be_rolled_back(
    history: History, scratch: Settings, change: str
) -> None:
    query(scratch, change)
    before = differences(history)

    path, left = write(history, "as_declared")

    assert (path.name, left) == (f"{NEXT}_as_declared.py", [])
    assert history.migrate() == [path.stem]
    assert differences(history) == []
    assert history.rollback() == [path.stem]
    assert differences(history) == before != []


@pytest.mark.long
@given(st.sets(st.sampled_from(DERIVED), min_size=2, max_size=6))
@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_draft_of_several_changes_does_so_too(
    history: History, scratch: Settings, changes: set[str]
) -> None:
    for change in sorted(changes, key=DERIVED.index):
        query(scratch, change)
    before = differences(history)
    path, left = write(history, "as_declared")
    try:
        history.migrate()
        assert (differences(history), left) == ([], [])
        history.rollback()
        # Restored columns are at the end of the table, in another order.
        assert sorted(differences(history), key=str) == sorted(before, key=str)
    finally:
        path.unlink()
        query(scratch, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        history.migrate()


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (
            "ALTER TABLE orders ALTER amount TYPE int",
            ["orders.amount: the database has integer, the models bigint"],
        ),
        (
            "ALTER TABLE orders DROP COLUMN product_name",
            ["missing column orders.product_name, NOT NULL without a default"],
        ),
        (
            # Its indexes are dropped with it, and the draft cannot create them until someone adds the column.
            "ALTER TABLE products DROP COLUMN name CASCADE",
            [
                "missing column products.name, NOT NULL without a default",
                "missing index products_by_name",
                "missing index products_of_user_by_name",
                "missing trigger words on products",
            ],
        ),
        (
            "ALTER TABLE products DROP COLUMN user_id",
            [
                "missing column products.user_id, NOT NULL without a default",
                "missing constraint products_user_id_fkey",
                "missing index products_of_user",
                "missing index products_of_user_by_name",
                "missing index products_of_user_by_price",
            ],
        ),
        (
            "ALTER TABLE users ALTER id DROP IDENTITY",
            ["users.id: the database has no default, the models GENERATED BY DEFAULT AS IDENTITY"],
        ),
        (
            "ALTER TABLE users DISABLE TRIGGER touch",
            ["trigger touch on users: the database has disabled, the models enabled"],
        ),
    ],
)
def test_what_cannot_be_derived_is_left_as_a_comment_for_the_developer(
    history: History, scratch: Settings, change: str, left: list[str]
) -> None:
    query(scratch, change)
    before = lines(differences(history))

    path, reported = write(history, "by_hand")

    assert reported == left
    assert f"# - {left[0]}" in path.read_text()
    assert history.migrate() == history.rollback() == [path.stem]
    assert lines(differences(history)) == before


def test_without_differences_the_draft_is_empty_and_can_be_run(history: History) -> None:
    path, left = write(history, "nothing_yet")

    assert left == []
    assert "changes nothing yet" in path.read_text()
    assert history.migrate() == history.rollback() == [path.stem]


@pytest.mark.parametrize("name", ["", "Add", "1st", "a-b", "../x", "x.py", "я"])
def test_an_invalid_migration_name_is_refused(history: History, name: str) -> None:
    with pytest.raises(SchemaError, match="is not a valid name for a migration"):
        write(history, name)


def test_no_draft_is_written_while_migrations_are_pending(history: History) -> None:
    path, _ = write(history, "first")

    with pytest.raises(SchemaError, match=f"^run flask migrate first: {NEXT}_first pending$"):
        write(history, "second")
    assert [file.stem for file in sorted(history.directory.glob("*.py"))] == [*names(), path.stem]


def test_the_command_reports_the_file_and_what_is_left_to_do(checkout: Checkout) -> None:
    checkout.history().migrate()
    query(checkout.settings, "ALTER TABLE orders ALTER amount TYPE int")

    _, drafted, _ = checkout.flask("db", "revision", "widen_amount")
    refused = checkout.flask("db", "revision", "again", "--json")
    path = checkout.migrations / f"{NEXT}_widen_amount.py"
    path.unlink()
    _, listed, _ = checkout.flask("db", "revision", "widen_amount", "--json")

    left = "orders.amount: the database has integer, the models bigint"
    assert drafted.splitlines() == [
        f"drafted {path}: read it, complete it, then run flask db rehearse",
        f"left to you: {left}",
    ]
    assert json.loads(listed) == {"path": str(path), "left": [left]}
    assert refused == (1, "", f"Error: run flask migrate first: {NEXT}_widen_amount pending\n")
