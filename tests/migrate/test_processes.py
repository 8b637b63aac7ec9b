"""Concurrent and killed processes, and other sessions holding locks: the history stays correct."""

import re
import signal
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from peewee_migrate.migrator import Migrator

from nexus.migrate import MigrationError, names
from nexus.migrate.files import read
from nexus.migrate.running import Direct, Limits, Runner
from tests.locks import until_someone_waits
from tests.migrate.conftest import WORKING, Checkout, kill, reach, session
from tests.sql import query


def test_concurrent_processes_apply_each_migration_once(checkout: Checkout) -> None:
    for word in ("one", "two", "three"):
        # The statements can be repeated, so only the rows would reveal two runs; one has no transaction.
        checkout.add(
            word,
            "CREATE TABLE IF NOT EXISTS runs (name text)",
            f"INSERT INTO runs VALUES ('{word}')",
            transaction=word != "two",
        )
    everything = names(checkout.migrations)

    processes = [checkout.start("migrate") for _ in range(6)]
    ends = [process.communicate(timeout=60) for process in processes]

    assert [process.returncode for process in processes] == [0] * 6
    applied = [line for out, _ in ends for line in out.splitlines() if line.startswith("applied ")]
    assert sorted(applied) == [f"applied {name}" for name in everything]
    assert checkout.applied() == everything
    assert query(checkout.settings, "SELECT name FROM runs") == [("one",), ("two",), ("three",)]


def test_a_waiting_migration_reports_which_session_holds_the_lock(checkout: Checkout) -> None:
    checkout.history().migrate()
    name = checkout.add("held", "ALTER TABLE orders ADD COLUMN note text")
    with session(checkout, "SELECT count(*) FROM orders"):
        first = checkout.start("migrate", MIGRATE_LOCK_TIMEOUT="0")
        reach(checkout, first, "ALTER TABLE orders")
        second = checkout.start("migrate")
        assert second.stderr
        message = second.stderr.readline()
    ends = [process.communicate(timeout=60) for process in (first, second)]

    holder = r"another migration or restore is running: database session \d+ of \w+.*, for 00:.* now"
    assert re.fullmatch(f"waiting: {holder}\n", message)
    assert ends == [(f"applied {name}\n", ""), ("nothing to migrate: the database is up to date\n", "")]


@pytest.mark.parametrize("words", ["migrate", "migrate --plan", "db status", "db rollback"])
def test_a_locked_history_table_fails_every_command_in_one_line(checkout: Checkout, words: str) -> None:
    checkout.history().migrate()

    with session(checkout, "LOCK TABLE migratehistory"):
        code, out, err = checkout.flask(*words.split(), MIGRATE_LOCK_TIMEOUT="1")

    assert (code, out) == (1, "")
    assert err == (
        "Error: another session has locked the table migratehistory for 1 s; nothing was run: "
        "run it again when that session is done, or with a larger MIGRATE_LOCK_TIMEOUT\n"
    )


def test_without_the_advisory_lock_the_history_still_lets_only_one_of_six_run(checkout: Checkout) -> None:
    """As when a pooler drops the lock: all six have read a history without the migration."""
    checkout.history().migrate()
    name = checkout.add(
        "one", "CREATE TABLE IF NOT EXISTS runs (name text)", "INSERT INTO runs VALUES ('one')"
    )
    ready = Barrier(6)

    def run(_: int) -> bool:
        database = Direct(checkout.settings.direct, wait=5)
        with database.connection_context():
            runner = Runner(database, Migrator(database), Limits(lock=30))
            ready.wait()
            return runner.up(read(name, checkout.migrations))

    with ThreadPoolExecutor(6) as pool:
        ran = sorted(pool.map(run, range(6)))

    assert ran == [False] * 5 + [True]
    assert checkout.applied() == [*names(), name]
    assert query(checkout.settings, "SELECT name FROM runs") == [("one",)]


def test_the_next_run_applies_what_a_killed_run_did_not(checkout: Checkout) -> None:
    name = checkout.add("sleep", "CREATE TABLE half (id int)", "SELECT pg_sleep(600)")
    process = checkout.start("migrate")
    try:
        reach(checkout, process, "^SELECT pg_sleep")
    finally:
        kill(process)
    checkout.write(name, (checkout.migrations / f"{name}.py").read_text().replace("600", "0"))

    # Without client_connection_check_interval the server would hold the killed run's locks for ten minutes.
    assert checkout.flask("migrate") == (0, f"applied {name}\n", "")
    assert checkout.applied() == [*names(), name]
    assert query(checkout.settings, "SELECT count(*) FROM half") == [(0,)]


def test_ctrl_c_cancels_the_running_statement(checkout: Checkout) -> None:
    checkout.history().migrate()
    name = checkout.add("sleep", "CREATE TABLE half (id int)", "SELECT pg_sleep(600)")
    process = checkout.start("migrate")
    try:
        reach(checkout, process, "^SELECT pg_sleep")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        kill(process)

    assert (process.returncode, out, err.strip()) == (1, "", "Aborted!")
    assert query(checkout.settings, WORKING, "^SELECT pg_sleep") == []
    assert name not in checkout.applied()
    assert query(checkout.settings, "SELECT to_regclass('half')") == [(None,)]


def test_a_killed_first_migration_leaves_an_empty_database(checkout: Checkout) -> None:
    with session(checkout, "CREATE TABLE orders (id int)"):
        process = checkout.start("migrate", MIGRATE_LOCK_TIMEOUT="0")
        try:
            # In the middle of its migration it waits for our uncommitted table of the same name.
            until_someone_waits(checkout.settings)
        finally:
            kill(process)

    assert checkout.history().migrate() == names()


def test_a_lock_timeout_is_reported_in_one_line(checkout: Checkout) -> None:
    checkout.history().migrate()
    good = checkout.add("good", "CREATE TABLE good (id int)")
    held = checkout.add("held", "CREATE TABLE half (id int)", "ALTER TABLE orders ADD COLUMN note text")

    with session(checkout, "SELECT count(*) FROM orders"):
        code, out, err = checkout.flask("migrate", MIGRATE_LOCK_TIMEOUT="1")

    assert (code, out) == (1, f"applied {good}\n")
    assert err == (
        f"Error: {held} waited 1 s for a lock that another session holds, and was rolled back: "
        "run it again when that session is done, or with a larger MIGRATE_LOCK_TIMEOUT\n"
    )
    assert checkout.applied() == [*names(), good]
    assert query(checkout.settings, "SELECT to_regclass('half')") == [(None,)]
    assert checkout.history().migrate() == [held]


def test_a_lost_connection_is_reported_in_one_line(checkout: Checkout) -> None:
    checkout.history().migrate()
    name = checkout.add("sleep", "CREATE TABLE half (id int)", "SELECT pg_sleep(600)")
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(checkout.history().migrate)
        while not query(checkout.settings, WORKING, "^SELECT pg_sleep"):
            assert not run.done()
        query(
            checkout.settings,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query ~ '^SELECT pg_sleep'",
        )

    with pytest.raises(MigrationError, match=f"^{name} (failed and was rolled back|lost its connection).*$"):
        run.result()
    assert checkout.applied() == names()
