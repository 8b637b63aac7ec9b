"""`flask migrate --plan`: the SQL of pending migrations without running it, and squawk's verdict on it."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import make_dsn

from nexus.config import Settings
from nexus.embedded_home import environment
from nexus.migrate import History, names
from nexus.postgres_programs import find
from tests.migrate.conftest import Checkout
from tests.sql import query

#: Rules of squawk that do not apply here, each with its reason.
EXCLUDED = (
    # The settings define the timeouts, outside the migration files.
    "require-lock-timeout",
    "require-statement-timeout",
)

HEAD = "import peewee\n\n\ndef migrate(migrator, database, *, fake=False):\n"


def squawk_errors(path: Path, plan: Any) -> str:
    """Return what squawk reports about the SQL of a plan: an empty string if it passes."""
    file = path / f"{plan.name}.sql"
    file.write_text(plan.sql)
    squawk = Path(sys.executable).with_name("squawk")
    words = ["--pg-version", "15", "--reporter", "gcc", *(f"--exclude={rule}" for rule in EXCLUDED)]
    if plan.transaction:
        words.append("--assume-in-transaction")
    # In this directory, so that no configuration file of the developer applies.
    done = subprocess.run([squawk, *words, file], cwd=path, capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ""


def test_every_migration_passes_squawk(scratch: Settings, tmp_path: Path) -> None:
    plans = History.of(scratch).plan()

    assert [plan.name for plan in plans] == names()
    assert [errors for plan in plans if (errors := squawk_errors(tmp_path, plan))] == []


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("CREATE INDEX orders_name ON orders (name)", "require-concurrent-index-creation"),
        ("ALTER TABLE orders ALTER COLUMN name SET NOT NULL", "adding-not-nullable-field"),
        ("ALTER TABLE orders ALTER COLUMN amount TYPE numeric", "changing-column-type"),
        ("ALTER TABLE orders RENAME COLUMN name TO buyer", "renaming-column"),
    ],
)
def test_squawk_rejects_statements_that_block_other_sessions(
    checkout: Checkout, tmp_path: Path, statement: str, rule: str
) -> None:
    checkout.history().migrate()
    checkout.add("blocking", statement)

    (plan,) = checkout.history().plan()

    assert rule in squawk_errors(tmp_path, plan)


def test_the_examples_of_the_readme_pass_squawk(checkout: Checkout, root: Path, tmp_path: Path) -> None:
    checkout.history().migrate()
    for text in re.findall(r"```python\n(.+?)```", (root / "migrations" / "README.md").read_text(), re.S):
        checkout.write(checkout.add("example"), text)

    index, backfill = checkout.history().plan()

    assert [squawk_errors(tmp_path, index), squawk_errors(tmp_path, backfill)] == ["", ""]
    assert backfill.sql == f"-- here runs the function fill of {backfill.name}.py"


def test_the_plan_changes_nothing_and_its_sql_creates_the_schema(
    checkout: Checkout, catalogue: Callable[[], list[Any]]
) -> None:
    code, out, err = checkout.flask("migrate", "--plan")

    assert (code, err) == (0, "")
    assert out.startswith(f"-- {names()[0]}, in a transaction\nCREATE FUNCTION touch_updated_at()")
    assert query(
        checkout.settings, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    ) == [(0,)]
    assert checkout.settings.direct
    database = make_dsn(**checkout.settings.direct.parameters)
    psql: list[str | Path] = [find("psql", server=15), "-Xq", "-v", "ON_ERROR_STOP=1", database]
    subprocess.run(psql, input=out, env=environment(), text=True, check=True)
    planned = catalogue()
    query(checkout.settings, "DROP SCHEMA public CASCADE")
    query(checkout.settings, "CREATE SCHEMA public")
    checkout.history().migrate()
    assert catalogue() == planned


def test_applied_migrations_are_not_in_the_plan(checkout: Checkout) -> None:
    checkout.history().migrate()
    assert checkout.flask("migrate", "--plan") == (
        0,
        "-- nothing to migrate: the database is up to date\n",
        "",
    )
    one = checkout.add("one", "CREATE TABLE one (id int)")
    checkout.add("two", transaction=False)

    code, out, _ = checkout.flask("migrate", "--plan", "--to", one, "--json")

    assert code == 0
    assert json.loads(out) == [{"name": one, "transaction": True, "sql": "CREATE TABLE one (id int);"}]
    assert [(plan.transaction, plan.sql) for plan in checkout.history().plan()] == [
        (True, "CREATE TABLE one (id int);"),
        (False, ""),
    ]
    assert checkout.applied() == names()


def test_parameters_are_interpolated(checkout: Checkout) -> None:
    name = checkout.add("values")
    checkout.write(
        name,
        f'{HEAD}    migrator.sql("UPDATE orders SET name = %s WHERE email LIKE \'%%@x\'", "O\'Neill %s")\n',
    )

    plan = checkout.history().plan()[-1]

    assert plan.sql == "UPDATE orders SET name = 'O''Neill %s' WHERE email LIKE '%@x';"


def test_peewee_migrate_operations_are_shown_as_sql(checkout: Checkout) -> None:
    checkout.history().migrate()
    checkout.write(
        checkout.add("tag"),
        f"{HEAD}    class Tag(peewee.Model):\n"
        "        name = peewee.TextField(index=True)\n"
        "        class Meta:\n"
        "            table_name = 'tags'\n"
        "    migrator.create_model(Tag)\n",
    )
    checkout.write(
        checkout.add("colour"),
        f"{HEAD}    migrator.add_fields('tags', colour=peewee.TextField(default='red'))\n",
    )
    checkout.write(checkout.add("renamed"), f"{HEAD}    migrator.rename_table('tags', 'label')\n")

    first, second, third = checkout.history().plan()

    assert first.sql.startswith('CREATE TABLE IF NOT EXISTS "tags"')
    assert 'ALTER TABLE "tags" ADD COLUMN "colour" TEXT' in second.sql
    assert "'red'" in second.sql
    # It queries the database for the name of the sequence.
    assert third.sql == "-- here runs rename_table, whose SQL depends on the database at that time"
    assert checkout.history().migrate() == [first.name, second.name, third.name]
    assert query(checkout.settings, "SELECT id, name, colour FROM label") == []


def test_python_functions_are_named_in_the_plan_and_not_run(checkout: Checkout) -> None:
    checkout.history().migrate()
    name = checkout.add("python")
    checkout.write(
        name,
        "def fill(database, note):\n    database.execute_sql('CREATE TABLE made (id int)')\n\n\n"
        f"{HEAD}    migrator.sql('SELECT 1')\n"
        "    migrator.run(fill, database, note='x')\n    migrator.sql('SELECT 2')\n",
    )
    querying = checkout.add("querying")
    checkout.write(
        querying,
        f"{HEAD}    migrator.sql('SELECT 3')\n"
        "    if database.execute_sql('SELECT count(*) FROM users').fetchone()[0]:\n"
        "        migrator.sql('SELECT 4')\n",
    )

    first, second = checkout.history().plan()

    assert first.sql == f"SELECT 1;\n-- here runs the function fill of {name}.py\nSELECT 2;"
    assert second.sql == f"SELECT 3;\n-- here runs the function migrate of {querying}.py"
    assert query(checkout.settings, "SELECT to_regclass('made')") == [(None,)]
    checkout.history().migrate()
    assert query(checkout.settings, "SELECT to_regclass('made') IS NOT NULL") == [(True,)]


def test_a_file_that_cannot_be_planned_is_reported_in_one_line(checkout: Checkout) -> None:
    name = checkout.add("python")
    checkout.write(name, f"{HEAD}    migrator.add_fields('nothing', x=peewee.TextField())\n")

    code, out, err = checkout.flask("migrate", "--plan")

    assert (code, out) == (1, "")
    assert err == f"Error: {name}.py, line 5: ValueError: Model nothing not found\n"
