"""A separate checkout whose migrations a test may change, and the catalogue of a schema."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from nexus.config import Settings
from nexus.migrate import History, names
from tests.environment import environment, flask
from tests.sql import query

TEMPLATE = '''"""{name}."""

TRANSACTION = {transaction}


def migrate(migrator, database, *, fake=False):
    for statement in {up!r}:
        migrator.sql(statement)


def rollback(migrator, database, *, fake=False):
    for statement in {down!r}:
        migrator.sql(statement)
'''


WORKING = (
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query ~ %s AND state = 'active'"
    " AND pid <> pg_backend_pid()"
)


class Checkout:
    """A copy of the code in a separate folder."""

    def __init__(self, root: Path, path: Path, settings: Settings) -> None:
        self.path = path
        self.settings = settings
        self.migrations = path / "migrations"
        for name in ("nexus", "migrations"):
            shutil.copytree(root / name, path / name)
        shutil.copy(root / "wsgi.py", path)

    def add(self, what: str, *up: str, down: tuple[str, ...] = (), transaction: bool = True) -> str:
        """Add the next migration, with these statements, and return its name."""
        name = f"{len(names(self.migrations)) + 1:03}_{what}"
        self.write(name, TEMPLATE.format(name=name, up=up, down=down, transaction=transaction))
        return name

    def write(self, name: str, text: str) -> None:
        (self.migrations / f"{name}.py").write_text(text)

    def history(self) -> History:
        assert self.settings.direct
        return History(self.settings.direct, wait=5, directory=self.migrations)

    def start(self, *words: str, **changes: str) -> "subprocess.Popen[str]":
        """Start a `flask` command in this checkout."""
        return subprocess.Popen(
            [sys.executable, "-m", "flask", *words],
            cwd=self.path,
            env=environment(self.settings, **changes),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def flask(self, *words: str, **changes: str) -> tuple[int, str, str]:
        """Run a `flask` command in this checkout; return its exit code, stdout and stderr."""
        ended = flask(self.path, self.settings, *words, **changes)
        return ended.returncode, ended.stdout, ended.stderr

    def applied(self) -> list[str]:
        """Return the names of the applied migrations in order."""
        return [name for (name,) in query(self.settings, "SELECT name FROM migratehistory ORDER BY id")]


@contextmanager
def session(checkout: Checkout, sql: str) -> Iterator[Any]:
    """Open another session with a transaction in which this statement has run."""
    assert checkout.settings.direct
    with closing(psycopg2.connect(**checkout.settings.direct.parameters)) as connection:  # type: ignore[call-overload]
        connection.cursor().execute(sql)
        yield connection


def reach(checkout: Checkout, process: "subprocess.Popen[str]", pattern: str) -> None:
    """Wait until the server is running a statement of the process that matches this pattern."""
    while not query(checkout.settings, WORKING, pattern):
        assert process.poll() is None, process.communicate()


def kill(process: "subprocess.Popen[str]") -> None:
    """Kill a process with SIGKILL and wait for its end."""
    process.kill()
    process.communicate()


@pytest.fixture
def checkout(root: Path, tmp_path: Path, scratch: Settings) -> Checkout:
    """A checkout over an empty database, with the migrations of this code."""
    return Checkout(root, tmp_path / "checkout", scratch)


@pytest.fixture
def catalogue(scratch: Settings) -> Callable[[], list[Any]]:
    """Read all columns, constraints, indexes and triggers of the scratch database, without the history."""

    def read() -> list[Any]:
        columns = query(
            scratch,
            "SELECT table_name, column_name, data_type, is_nullable, column_default"
            " FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name <> 'migratehistory' ORDER BY 1, 2",
        )
        rest = query(
            scratch,
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace"
            " AND conrelid IS DISTINCT FROM to_regclass('migratehistory')"
            " UNION SELECT indexname, indexdef FROM pg_indexes"
            " WHERE schemaname = 'public' AND tablename <> 'migratehistory'"
            " UNION SELECT tgrelid::regclass::text, pg_get_triggerdef(oid)"
            " FROM pg_trigger WHERE NOT tgisinternal"
            " UNION SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " ORDER BY 1, 2",
        )
        return [columns, rest]

    return read
