"""Backup and restore: rows, schema, history and sequences are restored, completely or not at all."""

import signal
import stat
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from nexus.config import Settings
from nexus.db.connection import connect
from nexus.migrate.running import LOCK
from nexus.postgres_programs import find
from nexus.transfer.backup import Backup, Server
from nexus.transfer.problems import TransferError
from tests.environment import environment, flask
from tests.locks import held
from tests.sql import query

#: The name of each connection and what it waits for.
WAITING = "SELECT application_name, wait_event_type FROM pg_stat_activity WHERE datname = current_database()"


def db(root: Path, settings: Settings, *words: str | Path, answer: str = "") -> Any:
    return flask(root, settings, "db", *map(str, words), typed=answer)


def everything(settings: Settings) -> list[str]:
    """Return schema, rows, history and sequences as pg_dump writes them."""
    server = Server(settings)
    command = [str(find("pg_dump", server=server.version)), "--no-owner", "-d", server.address]
    text = subprocess.run(command, env=server.environment, capture_output=True, check=True, text=True).stdout
    # The "restrict" lines hold a random token per dump. Late releases of PostgreSQL 15 also renumber each
    # column, and a pg_dump of another release does not leave that number out.
    return [line for line in text.splitlines() if "restrict" not in line and "pg_attver" not in line]


def change(settings: Settings) -> None:
    """Change the shop as a day of business and a migration would."""
    query(settings, "DELETE FROM products WHERE name <> 'Numbered'")
    query(settings, "INSERT INTO products (user_id, name, price, currency) VALUES (4, 'New', 1, 'USD')")
    query(settings, "CREATE TYPE mood AS ENUM ('good')")
    query(settings, "CREATE TABLE moods (order_id uuid REFERENCES orders, mood mood NOT NULL)")
    query(settings, "CREATE MATERIALIZED VIEW sums AS SELECT sum(amount) FROM orders")
    query(settings, "CREATE COLLATION ru (LOCALE = 'C')")
    query(settings, "CREATE TYPE pair AS (one int, two text COLLATE ru)")
    query(settings, "CREATE TYPE span AS RANGE (subtype = int)")
    query(settings, "CREATE VIEW moody AS SELECT * FROM moods JOIN orders ON id = order_id")
    query(settings, "ALTER TABLE users DROP COLUMN password")
    query(settings, "DROP TRIGGER touch ON orders")
    query(settings, "INSERT INTO migratehistory (name, migrated_at) VALUES ('002_moods', now())")


def test_a_restore_brings_back_schema_rows_and_sequences(
    root: Path, stocked: Settings, tmp_path: Path
) -> None:
    query(stocked, "INSERT INTO products (user_id, name, price, currency) VALUES (4, 'Numbered', 1, 'USD')")
    before = everything(stocked)
    backed_up = db(root, stocked, "backup", tmp_path / "shop.backup")
    change(stocked)
    changed = everything(stocked)

    run = db(root, stocked, "restore", tmp_path / "shop.backup", "--yes")

    assert backed_up.stdout.startswith("backed up nexus_scratch_")
    assert (backed_up.returncode, backed_up.stderr) == (0, "")

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("restored nexus_scratch_")
    assert changed != before
    assert everything(stocked) == before
    new = "INSERT INTO products (user_id, name, price, currency) VALUES (4, 'Next', 1, 'USD') RETURNING id"
    assert query(stocked, new) == [(2,)]


def test_existing_tables_are_replaced_only_after_confirmation(
    root: Path, stocked: Settings, backup: Path
) -> None:
    query(stocked, "DELETE FROM orders")

    no = db(root, stocked, "restore", backup)
    kept = query(stocked, "SELECT count(*) FROM orders")
    yes = db(root, stocked, "restore", backup, answer="y\n")

    assert no.stderr == "Error: nothing was replaced: answer yes, or add --yes to skip the question\n"
    assert no.stdout.startswith("Replace the 11 tables of nexus_scratch_")
    assert [no.returncode, yes.returncode] == [1, 0]
    assert kept == [(0,)]
    assert query(stocked, "SELECT count(*) FROM orders") == [(1,)]


def test_an_empty_database_is_restored_without_confirmation(
    root: Path, stocked: Settings, backup: Path
) -> None:
    before = everything(stocked)
    tables = "order_events, orders, products, refresh_tokens, resets, sessions, users, migratehistory"
    query(stocked, f"DROP TABLE audit, buckets, idempotency_keys, {tables}")
    functions = ("touch_updated_at", "check_order_step", "record_order_event", "keep_order_events")
    for function in (*functions, "keep_audit"):
        query(stocked, f"DROP FUNCTION {function}")

    run = db(root, stocked, "restore", backup)

    assert (run.returncode, run.stderr) == (0, "")
    assert everything(stocked) == before


def test_an_existing_backup_file_is_replaced_only_with_force(
    root: Path, stocked: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "shop.backup"
    file.write_text("a good one")
    refused = db(root, stocked, "backup", file)
    kept = file.read_text()
    replaced = db(root, stocked, "backup", file, "--force")

    assert refused.stderr == f"Error: {file} already exists: add --force to replace it\n"
    assert (refused.returncode, kept, replaced.returncode) == (1, "a good one", 0)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Backup(file, server=Server(stocked)).made
    assert list(tmp_path.iterdir()) == [file]


def test_a_database_without_our_tables_is_not_backed_up(
    root: Path, scratch: Settings, tmp_path: Path
) -> None:
    run = db(root, scratch, "backup", tmp_path / "shop.backup")

    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (1, "", 1)
    assert run.stderr.endswith(", schema public, to back up\n")
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_not_a_complete_backup_are_refused(
    root: Path, stocked: Settings, backup: Path
) -> None:
    text, cut, other = (backup.with_name(name) for name in ("text", "cut", "other"))
    text.write_text("DROP TABLE orders;\n" * 100)
    many = "SELECT 100 + i, md5(i::text), 'x' FROM generate_series(1, 999) AS i"
    query(stocked, f"INSERT INTO users (id, email, password) {many}")
    server = Server(stocked)
    server.back_up(backup.with_name("large"))
    half = backup.with_name("half")
    half.write_bytes(backup.with_name("large").read_bytes()[:-9000])
    before = everything(stocked)
    cut.write_bytes(backup.read_bytes()[:-200])
    command = [str(find("pg_dump", server=server.version)), "-Fc", "-t", "users", "-d", server.address]
    other.write_bytes(subprocess.run(command, env=server.environment, capture_output=True).stdout)

    refusals = {
        text: "text is not a readable backup: pg_restore: error: ",
        cut: "^nothing was restored: pg_restore: error: could not read",
        half: "^nothing was restored: pg_restore: error: could not read",
        other: "other contains no shop in the schema public$",
        backup.with_name("missing"): "No such file",
    }

    for path, refusal in refusals.items():
        with pytest.raises(TransferError, match=refusal):
            Backup(path, server=server).restore()
    run = db(root, stocked, "restore", text, "--yes")
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert run.stderr.startswith(f"Error: {text} is not a readable backup: ")
    assert everything(stocked) == before


def test_a_restore_does_not_drop_foreign_objects_that_depend_on_our_tables(
    stocked: Settings, backup: Path
) -> None:
    query(stocked, "CREATE SCHEMA reports")
    query(stocked, "CREATE VIEW reports.sales AS SELECT sum(amount) FROM public.orders")
    before = everything(stocked)

    said = r"^nothing was restored: ERROR: cannot drop .* DETAIL: view reports.sales depends on table orders"
    with pytest.raises(TransferError, match=said):
        Backup(backup, server=Server(stocked)).restore()

    assert everything(stocked) == before


def test_a_restore_keeps_objects_of_extensions(stocked: Settings, backup: Path) -> None:
    query(stocked, "CREATE FUNCTION theirs() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    query(stocked, "ALTER EXTENSION plpgsql ADD FUNCTION theirs()")
    query(stocked, "DELETE FROM orders")

    Backup(backup, server=Server(stocked)).restore()

    assert query(stocked, "SELECT theirs(), count(*) FROM orders") == [(1, 1)]


def test_a_restore_waits_for_a_running_migration(root: Path, stocked: Settings, backup: Path) -> None:
    query(stocked, "DELETE FROM orders")

    with held(stocked, f"SELECT pg_advisory_xact_lock({LOCK})"):
        run = start(root, stocked, "restore", backup, "--yes")
        until_waiting(stocked, run, name="psql")
    _, complaint = run.communicate(timeout=30)

    assert (run.returncode, complaint) == (0, b"")
    assert query(stocked, "SELECT count(*) FROM orders") == [(1,)]


def test_grants_to_missing_roles_can_be_left_out(root: Path, stocked: Settings, tmp_path: Path) -> None:
    role, file = f"reader_{token_hex(8)}", tmp_path / "shop.backup"
    query(stocked, f"CREATE ROLE {role}")
    query(stocked, f"GRANT SELECT ON orders TO {role}")
    Server(stocked).back_up(file)
    query(stocked, f"DROP OWNED BY {role}")
    query(stocked, f"DROP ROLE {role}")
    before = everything(stocked)
    query(stocked, "DELETE FROM orders")

    refused = db(root, stocked, "restore", file, "--yes")
    restored = db(root, stocked, "restore", file, "--yes", "--no-privileges")

    assert refused.returncode == 1
    assert f'role "{role}" does not exist; --no-privileges leaves out' in refused.stderr
    assert (restored.returncode, restored.stderr) == (0, "")
    assert everything(stocked) == before


def test_a_backup_is_not_written_to_standard_output(root: Path, stocked: Settings) -> None:
    run = db(root, stocked, "backup", "-")

    assert run.returncode == 2
    assert "a backup needs a file" in run.stderr


def test_an_interrupted_backup_leaves_no_file_and_shows_no_password(
    root: Path, stocked: Settings, tmp_path: Path
) -> None:
    url = str(stocked.database_url)
    secret = (stocked.direct.parameters if stocked.direct else {}).get("password", "a-secret-word")
    url += f"{'&' if '?' in url else '?'}application_name=by-url&password={secret}"
    with closing(connect(stocked.direct, wait=5)) as connection:
        connection.autocommit = False
        connection.cursor().execute("LOCK TABLE orders")
        run = start(
            root, stocked.model_copy(update={"database_url": url}), "backup", tmp_path / "shop.backup"
        )
        until_waiting(stocked, run, name="by-url")
        commands = command_lines()
        begun = len(list(tmp_path.iterdir()))
        run.send_signal(signal.SIGTERM)
        _, complaint = run.communicate(timeout=30)

    assert not commands or any(b"application_name=by-url" in command for command in commands)
    assert not any(secret.encode() in command for command in commands)
    assert (run.returncode, complaint.strip(), begun) == (1, b"Aborted!", 1)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_restore_changes_nothing(root: Path, stocked: Settings, backup: Path) -> None:
    change(stocked)
    before = everything(stocked)
    with closing(connect(stocked.direct, wait=5)) as connection:
        connection.autocommit = False
        connection.cursor().execute("LOCK TABLE orders IN SHARE MODE")
        run = start(root, stocked, "restore", backup, "--yes")
        until_waiting(stocked, run, name="psql")
        run.send_signal(signal.SIGTERM)
        _, complaint = run.communicate(timeout=30)
    while ("psql", "Lock") in query(stocked, WAITING) or ("psql", "Client") in query(stocked, WAITING):
        time.sleep(0.01)

    assert (run.returncode, complaint.strip()) == (1, b"Aborted!")
    assert everything(stocked) == before


def command_lines() -> list[bytes]:
    """Return the command lines of all processes, which every user of the machine can read."""
    seen = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        # Some processes end meanwhile.
        with suppress(OSError):
            seen.append(path.read_bytes())
    return seen


def start(root: Path, settings: Settings, *words: str | Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "flask", "db", *map(str, words)]
    return subprocess.Popen(command, cwd=root, env=environment(settings), stderr=subprocess.PIPE)


def until_waiting(settings: Settings, run: "subprocess.Popen[bytes]", *, name: str) -> None:
    while (name, "Lock") not in query(settings, WAITING):
        assert run.poll() is None
        time.sleep(0.01)
