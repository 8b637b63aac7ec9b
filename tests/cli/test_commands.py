"""The `flask` commands as an operator runs them: their output, their effects, their failures."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nexus.config import Settings
from nexus.db import database
from nexus.migrate import names
from nexus.models.catalog import Product
from tests.environment import environment, flask
from tests.factories import Person
from tests.sql import query

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
INVALID = {"APP_ENV": "production", "JWT_SECRET_KEY": "weak", "PORT": "http"}


def test_migrate_and_seed_report_what_they_did(root: Path, scratch: Settings) -> None:
    first, second = flask(root, scratch, "migrate"), flask(root, scratch, "migrate")
    planted, again = flask(root, scratch, "seed"), flask(root, scratch, "seed", "--json")

    assert first.stdout.splitlines() == [f"applied {name}" for name in names()]
    assert second.stdout == "nothing to migrate: the database is up to date\n"
    assert planted.stdout.splitlines() == [
        "created        user test@test.com",
        "created        product My First Awesome Course",
        "created        product My Second Product",
    ]
    assert json.loads(again.stdout)["created"] == []
    assert query(scratch, "SELECT id, price, user_id FROM products ORDER BY id") == [
        (1, 4999, 1),
        (2, 9999, 1),
    ]
    assert [run.returncode for run in (first, second, planted, again)] == [0, 0, 0, 0]


def test_seed_keeps_existing_rows_and_creates_missing_ones(root: Path, scratch: Settings) -> None:
    flask(root, scratch, "migrate")
    flask(root, scratch, "seed")
    query(scratch, "UPDATE products SET price = 1 WHERE id = 1")
    query(scratch, "DELETE FROM products WHERE id = 2")

    flask(root, scratch, "seed")

    assert query(scratch, "SELECT name, price FROM products ORDER BY id") == [
        ("My First Awesome Course", 1),
        ("My Second Product", 9999),
    ]


def test_an_error_of_the_database_is_reported_in_one_line(
    root: Path, settings: Settings, seller: Person
) -> None:
    only_reads = {"PGOPTIONS": "-c default_transaction_read_only=on"}
    for words in (
        ("users", "promote", str(seller.id)),
        ("orders", "erase-buyer", "a@b.co", "--yes"),
        ("db", "sweep"),
    ):
        run = flask(root, settings, *words, **only_reads)
        assert (run.returncode, run.stdout) == (1, "")
        assert run.stderr.startswith("Error: the database refused: cannot execute ")
        assert run.stderr.count("\n") == 1


@pytest.mark.parametrize("words", ["openapi", "db doctor", "db status"])
def test_a_full_disk_for_the_output_is_reported_in_one_line(
    root: Path, settings: Settings, words: str
) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "flask", *words.split()]
        run = subprocess.run(
            command, cwd=root, env=environment(settings), stdout=full, stderr=subprocess.PIPE
        )

    assert (run.returncode, run.stderr) == (1, b"Error: output: No space left on device\n")


def test_seeding_production_requires_force_and_a_strong_password(root: Path, scratch: Settings) -> None:
    flask(root, scratch, "migrate")
    production = {"APP_ENV": "production"}

    without_force = flask(root, scratch, "seed", **production)
    weak = flask(root, scratch, "seed", "--force", **production)
    strict = {**production, "SEED_PASSWORD": "password123", "PASSWORD_MIN_SCORE": "3"}
    easy = [flask(root, scratch, "seed", "--force", *words, **strict) for words in ((), ("--scale", "1"))]
    strong = flask(root, scratch, "seed", "--force", SEED_PASSWORD="a password of our own", **production)

    assert [one.returncode for one in easy] == [1, 1]
    assert all(one.stderr.startswith("Error: SEED_PASSWORD is too easy to guess") for one in easy)
    assert (without_force.returncode, weak.returncode, strong.returncode) == (1, 1, 0)
    assert without_force.stderr == "Error: this is production: add --force to seed the shop anyway\n"
    assert "SEED_PASSWORD" in weak.stderr
    assert query(scratch, "SELECT email FROM users") == [("test@test.com",)]


def test_the_seeded_user_signs_in(root: Path, settings: Settings, stranger: Person) -> None:
    flask(root, settings, "seed")

    body = {"email": "test@test.com", "password": "password123"}
    assert stranger.post("/api/auth/login", body).status_code == 200
    with database.connection_context():
        assert Product.select().count() == 2


def test_status_and_ping_report_the_state_of_the_database(root: Path, scratch: Settings) -> None:
    before = flask(root, scratch, "db", "status", "--json")
    flask(root, scratch, "migrate")
    after = flask(root, scratch, "db", "status")
    ping = flask(root, scratch, "db", "ping")

    assert [(row["name"], row["applied"]) for row in json.loads(before.stdout)] == [
        (name, False) for name in names()
    ]
    assert [line.split()[:2] for line in after.stdout.splitlines()] == [["applied", name] for name in names()]
    assert ping.stdout.startswith("connected: PostgreSQL ")


@pytest.mark.parametrize("words", [["migrate"], ["seed"], ["db", "ping"], ["db", "status"]])
def test_a_command_fails_in_one_line_when_the_database_is_down(
    root: Path, settings: Settings, words: list[str]
) -> None:
    run = flask(root, settings, *words, DATABASE_URL=NOWHERE)

    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.startswith("Error: the database cannot be reached: ")
    assert run.stderr.count("\n") == 1


def test_without_migration_files_no_database_counts_as_up_to_date(
    root: Path, scratch: Settings, tmp_path: Path
) -> None:
    shutil.copytree(root / "nexus", tmp_path / "nexus")
    shutil.copy(root / "wsgi.py", tmp_path)
    script = (
        "from wsgi import app\nanswer = app.test_client().get('/readyz')\n"
        "print(answer.status_code, answer.get_json()['missing'])"
    )

    migrated, listed = (flask(tmp_path, scratch, *words) for words in (["migrate"], ["db", "status"]))
    ready = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment(scratch),
        capture_output=True,
        text=True,
        timeout=60,
    )

    for run in (migrated, listed):
        assert run.returncode == 1
        assert (
            run.stderr
            == f"Error: there are no migrations in {tmp_path}/migrations: run it in a checkout of the code\n"
        )
    assert ready.stdout == "503 ['migrations']\n"


def test_help_and_routes_need_no_database(root: Path, settings: Settings) -> None:
    help_output = flask(root, settings, "--help", DATABASE_URL=NOWHERE)
    routes = flask(root, settings, "routes", DATABASE_URL=NOWHERE)

    assert (help_output.returncode, routes.returncode) == (0, 0)
    assert {"migrate", "seed", "db"} <= set(help_output.stdout.split())


@pytest.mark.parametrize("words", ["", "--help", "migrate --help", "db --help", "db backup --help"])
def test_help_needs_no_valid_settings(root: Path, settings: Settings, words: str) -> None:
    valid, invalid = (flask(root, settings, *words.split(), **given) for given in ({}, INVALID))

    assert "Options:" in valid.stdout + valid.stderr
    assert vars(invalid) == vars(valid)


@pytest.mark.parametrize(
    "command",
    [
        *("flask migrate", "flask db ping", "flask db backup shop.backup", "flask openapi"),
        *("flask routes", "flask run", "flask shell", "gunicorn -c python:nexus.server wsgi:app"),
    ],
)
def test_each_invalid_setting_is_reported_in_one_line(root: Path, settings: Settings, command: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=root,
        env=environment(settings, **INVALID),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert run.returncode == 1
    assert [line.partition(":")[0] for line in run.stderr.splitlines()] == ["JWT_SECRET_KEY", "PORT"]
