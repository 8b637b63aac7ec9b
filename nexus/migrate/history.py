"""The migrations of a database: which have been applied, and applying and undoing them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import peewee
from peewee_migrate.migrator import Migrator
from psycopg2.errorcodes import LOCK_NOT_AVAILABLE

from nexus.config import Settings
from nexus.database_url import DatabaseURL
from nexus.db.outages import OUTAGES, reason, sqlstate
from nexus.errors import DatabaseUnavailable
from nexus.migrate.files import DIRECTORY, Migration, MigrationError, digest, misnumbered, named, names, read
from nexus.migrate.plan import Plan, plan, replay
from nexus.migrate.rows import TABLE, Row, prepare, rows
from nexus.migrate.running import Direct, Limits, Runner, migration_lock

UNREADABLE = "the history of migrations cannot be read"


@dataclass(frozen=True)
class State:
    """One migration, according to files and history."""

    name: str
    #: None: it is pending.
    applied_at: datetime | None
    #: The file has changed since it was applied.
    edited: bool = False
    #: It was applied, but this code has no such file.
    missing: bool = False


class History:
    """The migrations of one database, on separate connections outside the pool.

    Every method raises DatabaseUnavailable if the database cannot be reached.
    """

    def __init__(
        self,
        url: DatabaseURL | None,
        *,
        wait: int,
        directory: Path = DIRECTORY,
        limits: Limits = Limits(),  # noqa: B008 - it is frozen.
        waiting: Callable[[str], object] = lambda _: None,
    ) -> None:
        """Take the URL (None: the embedded server), the seconds to wait for it, the files, the limits.

        `waiting` is told who is migrating already, if that takes longer than a second.
        """
        self.url = url
        self.wait = wait
        self.directory = directory
        self.limits = limits
        self.waiting = waiting

    @classmethod
    def of(cls, settings: Settings, *, waiting: Callable[[str], object] = lambda _: None) -> "History":
        """The history of the database in the settings, through its direct URL."""
        limits = Limits(lock=settings.migrate_lock_timeout, statement=settings.migrate_statement_timeout)
        return cls(settings.direct, wait=settings.pool_wait, limits=limits, waiting=waiting)

    def migrate(self, *, to: str | None = None, tell: Callable[[str], object] = lambda _: None) -> list[str]:
        """Apply every pending migration, or those up to a name or number; return their names.

        `tell` is called with each name as soon as it is applied. Raises MigrationError; those before the
        failed one stay applied, and it is rolled back unless it is marked to run outside a transaction.
        """
        last = self._last(to)
        with self._locked() as (database, done):
            todo = [self._read(name) for name in self._pending(done, last)]
            if not todo:
                return []
            runner = self._runner(database, done)
            applied = []
            for migration in todo:
                if runner.up(migration):
                    applied.append(migration.name)
                    tell(migration.name)
            return applied

    def rollback(self, *, count: int = 1, tell: Callable[[str], object] = lambda _: None) -> list[str]:
        """Undo the last `count` migrations; return their names."""
        with self._locked() as (database, done):
            todo = [self._read(row.name) for row in reversed(done[-count:])]
            for migration in todo:
                if migration.down is None:
                    raise MigrationError(f"{migration.name} cannot be undone; nothing was run")
            runner = self._runner(database, done)
            undone = []
            for migration in todo:
                if runner.down(migration):
                    undone.append(migration.name)
                    tell(migration.name)
            return undone

    def plan(self, *, to: str | None = None) -> list[Plan]:
        """What `migrate` would run, without running or changing anything."""
        last = self._last(to)
        with self._connected() as (database, done):
            todo = [read(name, self.directory) for name in self._pending(done, last)]
            return plan(todo, after=self._known(done), cursor=database.cursor())

    def states(self) -> list[State]:
        """Every migration: the applied ones in the order of application, then the pending ones."""
        with self._connected() as (_, done):
            pass
        files = set(names(self.directory))
        applied = [
            State(row.name, row.applied_at, edited=self._edited(row), missing=row.name not in files)
            for row in done
        ]
        return applied + [State(name, None) for name in self._pending(done, None)]

    def problems(self) -> list[str]:
        """Where files and history disagree: numbers, missing, edited and late files; one line each."""
        states = self.states()
        problems = misnumbered(self.directory)
        latest = max((state.name for state in states if state.applied_at), default="")
        for state in states:
            if state.missing:
                problems.append(f"{state.name} was applied, but is not among the files of this code")
            elif state.edited:
                problems.append(f"{state.name} was edited after it was applied")
            elif state.applied_at is None and state.name < latest:
                problems.append(f"{state.name} is pending although {latest} was applied before it")
        return problems

    def _last(self, to: str | None) -> str | None:
        return None if to is None else named(to, self.directory)

    def _pending(self, done: list[Row], last: str | None) -> list[str]:
        seen = {row.name for row in done}
        return [name for name in names(self.directory) if name not in seen and (last is None or name <= last)]

    def _edited(self, row: Row) -> bool:
        path = self.directory / f"{row.name}.py"
        return row.digest is not None and path.exists() and row.digest != digest(row.name, self.directory)

    def _read(self, name: str) -> Migration:
        """Read a migration that is about to run."""
        migration = read(name, self.directory)
        if self.url and self.url.pgbouncer and not migration.transaction:
            raise MigrationError(
                f"{name} runs outside a transaction, where a pooler would leak its limits to others: "
                "set DATABASE_URL to a direct URL; nothing was run"
            )
        return migration

    def _known(self, done: list[Row]) -> Iterator[Migration]:
        """The migrations that have run, as far as this code has them."""
        files = set(names(self.directory))
        return (read(row.name, self.directory) for row in done if row.name in files)

    def _runner(self, database: Direct, done: list[Row]) -> Runner:
        migrator = Migrator(database)
        replay(self._known(done), migrator)
        return Runner(database, migrator, self.limits)

    @contextmanager
    def _locked(self) -> Iterator[tuple[Direct, list[Row]]]:
        """A connection under the migration lock, and the rows of the history."""
        with self._errors(), migration_lock(self.url, wait=self.wait, waiting=self.waiting) as database:
            with database.atomic():
                self._limit(database)
                prepare(database)
                done = rows(database)
            yield database, done

    @contextmanager
    def _connected(self) -> Iterator[tuple[Direct, list[Row]]]:
        """A connection without the migration lock, and the rows of the history."""
        database = Direct(self.url, wait=self.wait)
        with self._errors(), database.connection_context():
            with database.atomic():
                self._limit(database)
                done = rows(database)
            yield database, done

    def _limit(self, database: Direct) -> None:
        """Wait for a lock on the history table no longer than a migration may."""
        database.execute_sql("SELECT set_config('lock_timeout', %s, true)", (f"{self.limits.lock}s",))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the server's errors into MigrationError, and a lost connection into DatabaseUnavailable."""
        try:
            yield
        except (*OUTAGES, peewee.PeeweeException) as error:
            if sqlstate(error) == LOCK_NOT_AVAILABLE:
                raise MigrationError(
                    f"another session has locked the table {TABLE} for {self.limits.lock} s; nothing was "
                    "run: run it again when that session is done, or with a larger MIGRATE_LOCK_TIMEOUT"
                ) from error
            # Only errors from the server have an SQLSTATE.
            if sqlstate(error) is None and isinstance(error, OUTAGES):
                raise DatabaseUnavailable(reason(error)) from error
            raise MigrationError(f"{UNREADABLE}: {reason(error)}") from error


def pending(database: peewee.Database) -> list[str]:
    """The migrations of this code that have not been applied; none if the database is ahead of the code."""
    done = {row.name for row in rows(database)}
    return [name for name in names() if name not in done]
