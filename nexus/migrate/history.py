"""The schema's history: which migrations there are, which have run, and running the others once."""

import logging
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import peewee
import psycopg2
from peewee_migrate import Router
from psycopg2.errors import UndefinedTable

from nexus.config import ROOT, Settings
from nexus.database_url import DatabaseURL
from nexus.db import OUTAGES, connect, reason
from nexus.errors import DatabaseUnavailable

DIRECTORY = ROOT / "migrations"
HISTORY = "migratehistory"
#: Any number that no other program on the same database uses for its advisory locks.
LOCK = 0x4E65787573
POLL_SECONDS = 0.1

UNIQUE_NAME = f"CREATE UNIQUE INDEX IF NOT EXISTS {HISTORY}_name ON {HISTORY} (name)"


class MigrationError(Exception):
    """A migration failed and was undone; the text is one line that names it and says why."""


class History:
    """The migrations of one database, on connections of its own outside the pool."""

    def __init__(self, url: DatabaseURL | None, *, wait: int, directory: Path = DIRECTORY) -> None:
        """Take where to connect (None: the embedded server), the seconds to wait, and where the files are."""
        self.url = url
        self.wait = wait
        self.directory = directory

    @classmethod
    def of(cls, settings: Settings) -> "History":
        """The history of the settings' database, on its direct URL."""
        return cls(settings.direct, wait=settings.pool_wait)

    def migrate(self) -> list[str]:
        """Apply every pending migration, each in a transaction with its history row; return their names.

        Raises MigrationError, after which the failed one has left nothing behind, or DatabaseUnavailable.
        """
        with self._alone() as router:
            migrator = router.migrator
            return [_run(router, name, migrator) for name in router.diff]

    def rollback(self, *, count: int = 1) -> list[str]:
        """Undo the last migrations, each in a transaction with its history row; return their names."""
        with self._alone() as router:
            done = list(reversed(router.done))[:count]
            migrator = router.migrator
            return [_run(router, name, migrator, downgrade=True) for name in done]

    @contextmanager
    def _alone(self) -> Iterator[Any]:
        """A router for whoever holds a lock that only one migrating process can have.

        A transaction's lock on a connection of its own holds through a pooler as well, where a session's
        lock would protect nothing. It is polled for, since a wait inside the server could fill a small pool.
        """
        try:
            with closing(connect(self.url, wait=self.wait)) as connection:
                connection.autocommit = False
                cursor = connection.cursor()
                while True:
                    cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (LOCK,))
                    if cursor.fetchone()[0]:
                        break
                    connection.rollback()
                    time.sleep(POLL_SECONDS)
                database = _Direct(self)
                with database.connection_context():
                    router = self._router(database)
                    database.execute_sql(UNIQUE_NAME)
                    yield router
        except OUTAGES as error:
            raise DatabaseUnavailable(reason(error)) from error

    def _router(self, database: peewee.Database) -> Any:
        quiet = logging.getLogger(f"{__name__}.router")
        # The router logs tracebacks of failures that we report in one line.
        quiet.setLevel(logging.CRITICAL + 1)
        router = Router(database, migrate_dir=self.directory, migrate_table=HISTORY, logger=quiet)
        router.model  # noqa: B018  The first access creates the history's table.
        return router


class _Direct(peewee.PostgresqlDatabase):
    """One connection outside the pool, to where a session keeps its settings and locks."""

    def __init__(self, history: History) -> None:
        super().__init__("nexus")
        self._history = history

    def _connect(self) -> Any:
        return connect(self._history.url, wait=self._history.wait)


def _run(router: Any, name: str, migrator: Any, *, downgrade: bool = False) -> str:
    try:
        router.run_one(name, migrator, fake=False, downgrade=downgrade)
    except (peewee.PeeweeException, psycopg2.Error) as error:
        raise MigrationError(f"{name} failed and was undone: {reason(error)}") from error
    return name


def names() -> list[str]:
    """The migrations of this code, in order."""
    return sorted(path.stem for path in DIRECTORY.glob("[0-9][0-9][0-9]_*.py"))


def pending(database: peewee.Database) -> list[str]:
    """The migrations of this code that the database has not seen; one that is ahead has none pending."""
    try:
        rows = database.execute_sql(f"SELECT name FROM {HISTORY}").fetchall()  # noqa: S608
    except peewee.ProgrammingError as error:
        if isinstance(getattr(error, "orig", None), UndefinedTable):
            return names()
        raise
    done = {name for (name,) in rows}
    return [name for name in names() if name not in done]
