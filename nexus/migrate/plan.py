"""The plan of migrations: the SQL that they would run, found by recording their operations."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any

import peewee
import psycopg2
from peewee_migrate.migrator import Migrator
from playhouse.migrate import Operation

from nexus.migrate.files import Migration, MigrationError, blame


@dataclass(frozen=True)
class Plan:
    """The SQL of one migration; comments mark what is only known when it runs."""

    name: str
    #: False: each of its statements is committed by itself.
    transaction: bool
    sql: str


class Undecided(Exception):
    """A migration queries the database, which a recording cannot answer."""


class RecordingDatabase(peewee.PostgresqlDatabase):
    """A database that records statements instead of running them, and cannot answer queries."""

    def __init__(self) -> None:
        super().__init__("recording")
        self.recorded: list[tuple[str, Any]] = []

    def execute(self, query: Any, **options: Any) -> None:
        """Record the statement of an operation."""
        if isinstance(query, peewee.SelectBase):
            raise Undecided
        self.recorded.append(self.get_sql_context(**options).sql(query).query())

    def execute_sql(self, sql: str, params: Any = None) -> Any:  # noqa: ARG002 - Peewee's signature.
        """Refuse, since the caller expects a result."""
        raise Undecided


class RecordingMigrator(Migrator):
    """A migrator whose Python steps keep the names of their functions."""

    def run(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Append a Python step."""
        self.__ops__.append(wraps(func)(lambda: func(*args, **kwargs)))


def plan(migrations: Iterable[Migration], *, after: Iterable[Migration], cursor: Any) -> list[Plan]:
    """The plan of each migration, after those that have run; the cursor is used to insert parameters."""
    recording = RecordingDatabase()
    migrator = RecordingMigrator(recording)
    replay(after, migrator)
    plans = []
    for migration in migrations:
        lines = []
        for sql, params in _recorded(migration, migrator, recording):
            try:
                statement = cursor.mogrify(sql, params).decode().strip()
            except (IndexError, TypeError, ValueError, psycopg2.Error) as error:
                raise MigrationError(blame(migration.path, error)) from error
            lines.append(statement if statement.startswith("-- ") else f"{statement.rstrip(';')};")
        plans.append(Plan(migration.name, migration.transaction, "\n".join(lines)))
    return plans


def _recorded(migration: Migration, migrator: Any, recording: RecordingDatabase) -> list[tuple[str, Any]]:
    recorded = recording.recorded = []
    try:
        migration.up(migrator, recording, fake=False)
    except Undecided:
        migrator.run(migration.up)
    except Exception as error:
        raise MigrationError(blame(migration.path, error)) from error
    operations, migrator.__ops__ = migrator.__ops__, []
    for operation in operations:
        step = getattr(operation, "__wrapped__", None)
        if step is not None:
            recorded.append((f"-- here runs the function {step.__name__} of {migration.path.name}", None))
            continue
        try:
            operation.run() if isinstance(operation, Operation) else operation()
        except Undecided:
            what = operation.fn.__name__ if isinstance(operation, Operation) else operation.__name__
            recorded.append((f"-- here runs {what}, whose SQL depends on the database at that time", None))
    return recorded


def replay(migrations: Iterable[Migration], migrator: Any) -> None:
    """Let a migrator learn the models of migrations that have run, from a recording.

    peewee-migrate uses the real database, and replaces its methods for the whole process in the meantime.
    """
    for migration in migrations:
        try:
            with suppress(Undecided):
                migration.up(migrator, RecordingDatabase(), fake=True)
        except Exception as error:
            raise MigrationError(blame(migration.path, error)) from error
        migrator.__ops__ = []
