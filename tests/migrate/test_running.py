"""Running migrations: in order, atomically, with every failure reported in one line."""

import json
from pathlib import Path

import pytest

from nexus.config import Settings
from nexus.errors import DatabaseUnavailable
from nexus.migrate import History, MigrationError, names
from tests.migrate.conftest import Checkout
from tests.sql import query


def test_migrations_are_numbered_without_a_gap() -> None:
    assert [name[:3] for name in names()] == [f"{number:03}" for number in range(1, len(names()) + 1)]


def test_migrate_stops_at_the_given_migration(checkout: Checkout) -> None:
    one, two, three = (checkout.add(word) for word in ("one", "two", "three"))

    assert checkout.history().migrate(to=one) == [*names(), one]
    assert checkout.history().migrate(to=str(int(two[:3]))) == [two]
    assert checkout.history().migrate(to=two[:3]) == []
    assert checkout.flask("migrate", "--json") == (0, json.dumps([three]) + "\n", "")
    assert checkout.applied() == [*names(), one, two, three]


def test_an_unknown_or_ambiguous_name_is_reported_in_one_line(checkout: Checkout) -> None:
    twin = checkout.add("one")
    checkout.write(f"{twin[:3]}_eins", "")

    for given, line in {
        "onne": "onne is not a migration",
        "99": "99 is not a migration",
        # More digits than Python reads as a number.
        "9" * 5000: f"{'9' * 5000} is not a migration",
        twin[:3]: f"{twin[:3]} could be {twin[:3]}_eins or {twin}",
    }.items():
        with pytest.raises(MigrationError) as caught:
            checkout.history().migrate(to=given)
        assert str(caught.value) == line
    assert checkout.flask("migrate", "--to", "99") == (1, "", "Error: 99 is not a migration\n")
    assert query(checkout.settings, "SELECT to_regclass('users')") == [(None,)]


def test_rollback_undoes_the_last_migrations(checkout: Checkout) -> None:
    one = checkout.add("one", "CREATE TABLE one ()", down=("DROP TABLE one",))
    two = checkout.add("two", "CREATE TABLE two ()", down=("DROP TABLE two",))
    assert checkout.flask("db", "rollback")[1] == "nothing to undo: no migration has been applied\n"
    checkout.history().migrate()

    assert checkout.history().rollback() == [two]
    checkout.history().migrate()
    assert checkout.flask("db", "rollback", "--count", "2", "--json") == (
        0,
        json.dumps([two, one]) + "\n",
        "",
    )
    assert query(checkout.settings, "SELECT to_regclass('one'), to_regclass('two')") == [(None, None)]
    assert checkout.applied() == names()


def test_a_rollback_in_production_requires_yes(checkout: Checkout) -> None:
    one, two = checkout.add("one"), checkout.add("two")
    checkout.history().migrate()

    code, out, err = checkout.flask("db", "rollback", "--count", "2", APP_ENV="production")
    assert (code, out) == (1, "")
    assert err == f"Error: this is production: undoing {two}, {one} can lose rows; add --yes to do it\n"
    assert checkout.applied() == [*names(), one, two]
    assert checkout.flask("db", "rollback", "--yes", APP_ENV="production") == (0, f"undone {two}\n", "")
    checkout.history().rollback(count=99)
    nothing = "nothing to undo: no migration has been applied\n"
    assert checkout.flask("db", "rollback", APP_ENV="production") == (0, nothing, "")


def test_a_failed_migration_is_undone_and_those_before_it_stay(checkout: Checkout) -> None:
    good = checkout.add("good")
    bad = checkout.add("bad", "CREATE TABLE half (id int)", "SELECT 1 / 0")
    after = checkout.add("after")

    code, out, err = checkout.flask("migrate")

    assert code == 1
    assert out.splitlines() == [f"applied {name}" for name in (*names(), good)]
    assert err == f"Error: {bad} failed and was rolled back: division by zero\n"
    assert query(checkout.settings, "SELECT to_regclass('half')") == [(None,)]
    assert checkout.applied() == [*names(), good]
    (checkout.migrations / f"{bad}.py").unlink()
    assert checkout.history().migrate() == [after]


@pytest.mark.parametrize("end", ["", "SELECT 1 / 0", "BEGIN; SELECT 1"])
def test_a_migration_that_ends_its_own_transaction_is_reported_and_not_recorded(
    checkout: Checkout, end: str
) -> None:
    name = checkout.add("commits", f"CREATE TABLE half (id int); COMMIT; {end}")

    code, _, err = checkout.flask("migrate")

    assert code == 1
    assert err.startswith(f"Error: {name} ended its own transaction, and what it did before that stays: ")
    assert err.count("\n") == 1
    assert query(checkout.settings, "SELECT count(*) FROM half") == [(0,)]
    assert checkout.applied() == names()


@pytest.mark.parametrize(
    ("statement", "transaction", "said"),
    [
        ("RELEASE SAVEPOINT nothing", True, 'failed and was rolled back: savepoint "nothing" does not exist'),
        ("LOCK TABLE users", False, "LOCK TABLE can only be used in transaction blocks"),
    ],
)
def test_other_transaction_errors_are_not_taken_for_an_ended_transaction(
    checkout: Checkout,
    statement: str,
    transaction: bool,  # noqa: FBT001
    said: str,
) -> None:
    name = checkout.add("looks", down=(statement,), transaction=transaction)
    checkout.history().migrate()

    code, _, err = checkout.flask("db", "rollback")

    assert code == 1
    assert err.endswith(f"{said}\n")
    assert checkout.applied()[-1] == name


def test_a_failed_rollback_changes_nothing(checkout: Checkout) -> None:
    name = checkout.add("one", "CREATE TABLE one ()", down=("DROP TABLE one", "SELECT 1 / 0"))
    checkout.history().migrate()

    with pytest.raises(MigrationError, match=f"^{name} failed and was rolled back: division by zero$"):
        checkout.history().rollback()

    assert query(checkout.settings, "SELECT count(*) FROM one") == [(0,)]
    assert checkout.applied()[-1] == name


def test_a_migration_without_rollback_cannot_be_undone(checkout: Checkout) -> None:
    name = checkout.add("one")
    checkout.write(name, "def migrate(migrator, database, *, fake=False): pass\n")
    checkout.history().migrate()

    with pytest.raises(MigrationError, match=f"^{name} cannot be undone; nothing was run$"):
        checkout.history().rollback()
    assert checkout.applied()[-1] == name


BODY = "def migrate(migrator, database, *, fake=False):\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\n\ndef migrate(:\n", "{file}, line 3: SyntaxError: invalid syntax; nothing was run"),
        ("import nothing_at_all\n", "{file}, line 1: ModuleNotFoundError: No module named 'nothing_at_all'"),
        ("UP = 'SELECT 1'\n", "{file} has no function migrate; nothing was run"),
        ("\x00", "{file}: "),
        (
            f"{BODY}    migrator.table('x')\n",
            "{name} failed and was rolled back: {file}, line 2: AttributeError: ",
        ),
        (
            f"{BODY}    migrator.run(lambda: 1 / 0)\n",
            "{name} failed and was rolled back: {file}, line 2: ZeroDivi",
        ),
        (f"{BODY}    migrator.sql('SELECT 5 % 2')\n", "{name} failed and was rolled back: {file}: IndexErr"),
    ],
)
def test_a_python_error_is_reported_in_one_line(checkout: Checkout, text: str, said: str) -> None:
    name = checkout.add("python")
    checkout.write(name, text)
    applied: list[str] = []

    with pytest.raises(MigrationError) as caught:
        checkout.history().migrate(tell=applied.append)

    assert str(caught.value).startswith(said.format(name=name, file=f"{name}.py"))
    assert "\n" not in str(caught.value)
    # An unreadable file is found before anything is run.
    assert applied == (names() if "rolled back" in said else [])


def test_an_error_in_a_plan_is_reported_in_one_line(checkout: Checkout) -> None:
    name = checkout.add("modulo", "SELECT 5 % 2")

    code, out, err = checkout.flask("migrate", "--plan")

    assert (code, out) == (1, "")
    assert err.startswith(f"Error: {name}.py: IndexError: ")
    assert err.count("\n") == 1


def test_a_statement_timeout_is_reported_in_one_line(checkout: Checkout) -> None:
    name = checkout.add("slow", "SELECT pg_sleep(600)")

    code, _, err = checkout.flask("migrate", MIGRATE_STATEMENT_TIMEOUT="1")

    assert code == 1
    assert err.startswith(f"Error: {name} was cancelled and was rolled back: a statement took over 1 s")
    assert err.count("\n") == 1
    assert checkout.applied() == names()


def test_the_timeouts_come_from_the_settings(checkout: Checkout) -> None:
    settings = "current_setting('lock_timeout') AS wait, current_setting('statement_timeout') AS run"
    checkout.add("limits", f"CREATE TABLE limits AS SELECT {settings}")
    query(checkout.settings, "ALTER DATABASE " + database_name(checkout) + " SET lock_timeout = '7s'")

    assert checkout.flask("migrate", MIGRATE_STATEMENT_TIMEOUT="0")[0] == 0
    assert query(checkout.settings, "SELECT * FROM limits") == [("5s", "0")]


def database_name(checkout: Checkout) -> str:
    ((name,),) = query(checkout.settings, "SELECT quote_ident(current_database())")
    return str(name)


def test_an_unreachable_database_raises_database_unavailable(scratch: Settings, tmp_path: Path) -> None:
    down = scratch.model_copy(update={"database_url": "postgresql://nobody@127.0.0.1:1/nothing"})

    for call in (History.migrate, History.rollback, History.plan, History.states):
        with pytest.raises(DatabaseUnavailable, match="refused"):
            call(History.of(down))


def test_later_migrations_know_the_models_of_earlier_ones(checkout: Checkout) -> None:
    checkout.write(
        checkout.add("tag"),
        f"import peewee\n{BODY}"
        "    class Tag(peewee.Model):\n"
        "        name = peewee.TextField()\n"
        "        class Meta:\n"
        "            table_name = 'tags'\n"
        "    migrator.create_model(Tag)\n",
    )
    checkout.history().migrate()
    checkout.write(
        checkout.add("colour"),
        f"import peewee\n{BODY}    migrator.add_fields('tags', colour=peewee.TextField(null=True))\n",
    )

    checkout.history().migrate()

    assert query(checkout.settings, "SELECT id, name, colour FROM tags") == []


def test_an_applied_migration_that_reads_the_database_does_not_break_the_history(checkout: Checkout) -> None:
    """An applied file whose body queries the database is replayed up to that point."""
    checkout.write(checkout.add("asks"), f"{BODY}    database.execute_sql('SELECT 1').fetchone()[0]\n")
    checkout.history().migrate()
    later = checkout.add("later")

    assert checkout.history().migrate() == [later]
    with pytest.raises(MigrationError, match="cannot be undone"):
        checkout.history().rollback(count=2)
