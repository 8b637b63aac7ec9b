"""The history: which migrations exist, which were applied, and which files differ from what was applied."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg2.errors import UniqueViolation

from nexus.config import Settings
from nexus.migrate import History, names
from nexus.migrate.files import digest
from nexus.migrate.history import UNREADABLE
from nexus.migrate.rows import rows
from nexus.migrate.running import Direct
from tests.environment import flask
from tests.migrate.conftest import Checkout, session
from tests.sql import query


def test_the_migrations_of_this_code_have_no_problems(scratch: Settings) -> None:
    assert History.of(scratch).problems() == []
    History.of(scratch).migrate()
    assert History.of(scratch).problems() == []


def test_a_name_cannot_be_recorded_twice(shop: Settings) -> None:
    with pytest.raises(UniqueViolation):
        query(shop, "INSERT INTO migratehistory (name, migrated_at) VALUES (%s, now())", names()[0])


@pytest.mark.parametrize("words", ["db status", "migrate", "migrate --plan", "db check", "db rehearse"])
def test_missing_permission_to_read_the_history_is_reported_in_one_line(
    root: Path, shop: Settings, words: str
) -> None:
    url = str(shop.database_url)
    # Any role without rights here would do; this one exists on every server.
    guest = f"{url}{'&' if '?' in url else '?'}options=-crole%3Dpg_monitor"

    run = flask(root, shop, *words.split(), DATABASE_URL=guest)

    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == (
        "Error: the history of migrations cannot be read: permission denied for table migratehistory\n"
    )


def test_every_inconsistency_is_reported(checkout: Checkout) -> None:
    first, second, third = checkout.add("one"), checkout.add("two"), checkout.add("three")
    files, history = checkout.migrations, checkout.history()
    history.migrate()
    checkout.write(first, "Better.\n")
    (files / f"{second}.py").unlink()
    (files / f"{third}.py").rename(files / f"{third[:3]}_tres.py")
    checkout.write(f"{third[:3]}_drei", "")

    # Two files with the same number, a gap before them, and two applied migrations without files.
    # Applied files are not read again when there is nothing to do.
    assert history.migrate(to=first) == []
    assert history.problems() == [
        f"{second[:3]} is missing before {third[:3]}_drei",
        f"{third[:3]}_drei and {third[:3]}_tres have the same number",
        f"{first} was edited after it was applied",
        f"{second} was applied, but is not among the files of this code",
        f"{third} was applied, but is not among the files of this code",
        f"{third[:3]}_drei is pending although {third} was applied before it",
    ]


def test_a_database_ahead_of_the_code_is_reported_and_can_be_migrated(checkout: Checkout) -> None:
    ahead = checkout.add("ahead")
    checkout.history().migrate()
    (checkout.migrations / f"{ahead}.py").unlink()

    assert checkout.history().problems() == [f"{ahead} was applied, but is not among the files of this code"]
    assert checkout.flask("migrate") == (0, "nothing to migrate: the database is up to date\n", "")
    code, out, err = checkout.flask("db", "rollback")
    assert (code, out) == (1, "")
    assert err == f"Error: {ahead} is not among the migration files of this code\n"


def test_status_shows_when_each_was_applied_and_edited_or_missing_files(checkout: Checkout) -> None:
    first, second, third = (checkout.add(word) for word in ("one", "two", "three"))
    checkout.history().migrate(to=second)
    checkout.write(first, "def migrate(*_, **__): pass\n")
    (checkout.migrations / f"{second}.py").unlink()

    code, out, _ = checkout.flask("db", "status", "--json")
    listed = {row.pop("name"): row for row in json.loads(out)}
    lines = checkout.flask("db", "status")[1].splitlines()

    assert code == 0
    assert list(listed) == [*names(), first, second, third]
    ((applied_at,),) = query(
        checkout.settings,
        "SELECT to_char(migrated_at, 'YYYY-MM-DD\"T\"HH24:MI:SS+00:00') FROM migratehistory WHERE name = %s",
        first,
    )
    assert listed[first] == {"applied": True, "appliedAt": applied_at, "edited": True, "missing": False}
    assert (listed[second]["edited"], listed[second]["missing"]) == (False, True)
    assert listed[third] == {"applied": False, "appliedAt": None, "edited": False, "missing": False}
    shown = applied_at.replace("T", " ").replace("+00:00", " UTC")
    assert lines[-3:-2] == [f"applied  {first}  {shown}  edited since"]
    assert lines[-2].endswith("UTC  its file is missing")
    assert lines[-1] == f"pending  {third}"


def test_a_history_without_digests_is_read_and_gets_the_column(checkout: Checkout) -> None:
    checkout.history().migrate()
    query(checkout.settings, "ALTER TABLE migratehistory DROP COLUMN digest")
    checkout.write(names()[0], "def migrate(*_, **__): pass\n")
    later = checkout.add("later")

    assert checkout.history().problems() == []
    assert checkout.history().migrate() == [later]
    database = Direct(checkout.settings.direct, wait=5)
    with database.connection_context():
        marks = {row.name: row.digest for row in rows(database)}
    assert marks[later] == digest(later, checkout.migrations)
    assert marks[names()[0]] is None


def test_the_router_of_peewee_migrate_still_works(scratch: Settings) -> None:
    from peewee_migrate.router import Router

    from nexus.migrate.files import DIRECTORY

    History.of(scratch).migrate()
    database = Direct(scratch.direct, wait=5)
    with database.connection_context():
        router = Router(database, migrate_dir=DIRECTORY)
        assert router.done == names()
        router.model.create(name="999_by_hand")
    assert History.of(scratch).states()[-1].name == "999_by_hand"


LINE = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]))


@given(st.lists(LINE), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", " ", "\t"]), LINE)
def test_a_digest_ignores_line_endings_and_trailing_whitespace(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], end: str, blank: str, more: str
) -> None:
    directory = tmp_path_factory.getbasetemp()
    file = directory / "001_words.py"
    file.write_bytes("\n".join(lines).encode())
    mark = digest(file.stem, directory)

    file.write_bytes("".join(line + blank + end for line in lines).encode())
    assert digest(file.stem, directory) == mark
    file.write_bytes("\n".join([*lines, f"{more}!"]).encode())
    assert digest(file.stem, directory) != mark


@pytest.mark.parametrize("words", [["migrate"], ["db", "status"]])
def test_a_statement_timeout_is_not_reported_as_an_outage(checkout: Checkout, words: list[str]) -> None:
    checkout.history().migrate()

    with session(checkout, "LOCK TABLE migratehistory"):
        code, _, err = checkout.flask(*words, PGOPTIONS="-c statement_timeout=300")

    assert code == 1
    assert err == f"Error: {UNREADABLE}: canceling statement due to statement timeout\n"
