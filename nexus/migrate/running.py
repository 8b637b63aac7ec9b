"""Running migrations: one process at a time, and each migration once, completely or not at all."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from math import inf
from select import select
from threading import Event
from typing import Any

import peewee
import psycopg2
from peewee_migrate.migrator import Migrator
from playhouse.migrate import Operation
from psycopg2.errorcodes import (
    INVALID_SAVEPOINT_SPECIFICATION,
    LOCK_NOT_AVAILABLE,
    NO_ACTIVE_SQL_TRANSACTION,
    QUERY_CANCELED,
)
from psycopg2.extensions import POLL_OK, POLL_READ, set_wait_callback

from nexus.database_url import DatabaseURL
from nexus.db.connection import connect
from nexus.db.outages import OUTAGES, reason, sqlstate
from nexus.migrate.files import Migration, MigrationError, blame, digest
from nexus.migrate.rows import FORGET, REMEMBER

#: Any number that no other program on the same database uses for its advisory locks.
LOCK = 0x4E65787573
#: Finds its holder; `classid` and `objid` are the two halves of its number.
HOLDER = """
SELECT pid, usename, client_addr, to_char(now() - xact_start, 'HH24:MI:SS')
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid::bigint << 32 | objid::bigint = %s AND objsubid = 1 AND granted
"""
POLL_SECONDS = 0.1
#: A shorter wait is not reported.
PATIENCE_SECONDS = 1.0
PARTLY = "may have been applied in part, since it runs outside a transaction"
#: PostgreSQL's errors on releasing a savepoint that ended with its transaction.
NO_SAVEPOINT = (INVALID_SAVEPOINT_SPECIFICATION, NO_ACTIVE_SQL_TRANSACTION)

#: Lets the server cancel the statement of a killed process of ours, which releases its locks.
WATCH_CLIENT = "SELECT set_config('client_connection_check_interval', '1s', %s)"
LIMIT = "SELECT set_config('lock_timeout', %s, %s), set_config('statement_timeout', %s, %s)"
BUILD = re.compile(
    r"""\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?
    (?P<index>"[^"]+"|[\w$]+)\s+ON\s+(?:ONLY\s+)?(?P<table>(?:"[^"]+"|[\w$.])+)""",
    re.IGNORECASE | re.VERBOSE,
)
INVALID = """
SELECT indexrelid::regclass FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE NOT indisvalid AND indrelid = to_regclass(%s) AND relname = (parse_ident(%s))[1]
"""


@dataclass(frozen=True)
class Limits:
    """Seconds that a migration may wait for a lock, and that one statement of it may take; 0 is no limit."""

    lock: int = 0
    statement: int = 0


class TransactionEnded(Exception):
    """A migration committed or rolled back the transaction in which it was run."""


class Direct(peewee.PostgresqlDatabase):
    """A connection outside the pool, by the direct URL, where a session keeps its settings and locks."""

    def __init__(self, url: DatabaseURL | None, *, wait: int) -> None:
        super().__init__("nexus")
        self._url = url
        self._wait = wait

    def _connect(self) -> Any:
        return connect(self._url, wait=self._wait)

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        """Run a statement; before an index build, drop the invalid index that a failed build left behind.

        It would make the build fail or, worse, IF NOT EXISTS would accept it.
        """
        build = BUILD.search(sql)
        run: Any = super().execute_sql
        if build and not self.in_transaction():
            for (index,) in run(INVALID, (build["table"], build["index"])).fetchall():
                run(f"DROP INDEX CONCURRENTLY {index}")
        return run(sql, params)


@contextmanager
def migration_lock(
    url: DatabaseURL | None, *, wait: int, waiting: Callable[[str], object]
) -> Iterator[Direct]:
    """A connection for migrations, under a lock that only one process can hold.

    A transaction-level lock on a separate connection works through a pooler as well, where a session-level
    lock would protect nothing. It is polled for, since a wait inside the server could fill a small pool.
    The wait is unlimited, since the holder's work has its own limits; `waiting` is told who holds the lock.
    """
    with _interruptible(), closing(connect(url, wait=wait)) as connection:
        # A long-held snapshot would make CREATE INDEX CONCURRENTLY wait forever.
        connection.set_session(isolation_level="READ COMMITTED", autocommit=False)
        cursor = connection.cursor()
        patient_until = time.monotonic() + PATIENCE_SECONDS
        while True:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (LOCK,))
            if cursor.fetchone()[0]:
                break
            if time.monotonic() > patient_until and (holder := _holder(cursor)):
                waiting(holder)
                patient_until = inf
            connection.rollback()
            time.sleep(POLL_SECONDS)
        # It is idle in transaction for as long as the migrations take.
        cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', '0', true)")
        database = Direct(url, wait=wait)
        with database.connection_context():
            yield database


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C cancel the running statement, for which the driver would otherwise wait."""
    interrupted = Event()

    def wait(connection: Any) -> None:
        try:
            while (state := connection.poll()) != POLL_OK:
                reading, writing = ([connection], []) if state == POLL_READ else ([], [connection])
                select(reading, writing, [])
        except KeyboardInterrupt:
            # The driver closes the connection, so a later rollback on it fails; the server has rolled back.
            interrupted.set()
            with suppress(psycopg2.Error):
                connection.cancel()
            raise

    set_wait_callback(wait)
    try:
        yield
    except Exception:
        if interrupted.is_set():
            raise KeyboardInterrupt from None
        raise
    finally:
        set_wait_callback(None)


def _holder(cursor: Any) -> str | None:
    """Who is migrating, as text; None if that has just ended."""
    cursor.execute(HOLDER, (LOCK,))
    found = cursor.fetchone()
    if found is None:
        return None
    process, role, address, duration = found
    # Without the privilege to see other sessions, only the process id is visible.
    whose = f" of {role}" if role else ""
    place = f" from {address}" if address else ""
    since = f", for {duration} now" if duration else ""
    return f"another migration or restore is running: database session {process}{whose}{place}{since}"


class Runner:
    """Runs migrations on a connection, within limits, with a migrator that knows those before them."""

    def __init__(self, database: Direct, migrator: Migrator, limits: Limits) -> None:
        """Take the connection from `migration_lock`, the migrator, and the limits for each migration."""
        self._database = database
        self._migrator = migrator
        self._limits = limits

    def up(self, migration: Migration) -> bool:
        """Apply a migration and record it; False if another run has done so in the meantime."""
        values = migration.name, digest(migration.name, migration.path.parent)
        return self._run(migration, migration.up, REMEMBER, values)

    def down(self, migration: Migration) -> bool:
        """Undo a migration and delete its record; False if another run has done so in the meantime."""
        assert migration.down is not None
        return self._run(migration, migration.down, FORGET, (migration.name,))

    def _run(self, migration: Migration, way: Callable[..., Any], record: str, values: Any) -> bool:
        execute = self._database.execute_sql
        with self._errors(migration):
            if not migration.transaction:
                self._limit(migration)
                self._apply(way)
                return bool(execute(record, values).rowcount)
            with self._database.atomic():
                self._limit(migration)
                # The history row comes first: a run that the advisory lock did not stop blocks on this row,
                # and then skips the migration.
                new = bool(execute(record, values).rowcount)
                if new:
                    self._apply_within(way)
                return new

    def _limit(self, migration: Migration) -> None:
        """Set the limits, only for the transaction if there is one."""
        local = migration.transaction
        # A migration outside a transaction builds indexes or fills tables during traffic, maybe for hours.
        statement = self._limits.statement if local else 0
        self._database.execute_sql(LIMIT, (f"{self._limits.lock}s", local, f"{statement}s", local))
        # client_connection_check_interval does not exist in every version and on every platform.
        with suppress(peewee.DataError, peewee.ProgrammingError), self._database.atomic():
            self._database.execute_sql(WATCH_CLIENT, (local,))

    def _apply_within(self, way: Callable[..., Any]) -> None:
        """Run a migration in the current transaction; TransactionEnded if the migration itself ends it."""
        own: Exception | None = None
        try:
            with self._database.atomic():
                try:
                    self._apply(way)
                except Exception as error:
                    own = error
                    raise
        except peewee.PeeweeException as error:
            # Raised not by the migration but on leaving the savepoint, which ended with its transaction.
            if error is not own and sqlstate(error) in NO_SAVEPOINT:
                raise TransactionEnded from error
            raise

    def _apply(self, way: Callable[..., Any]) -> None:
        migrator: Any = self._migrator
        way(migrator, self._database, fake=False)
        operations, migrator.__ops__ = migrator.__ops__, []
        for operation in operations:
            operation.run() if isinstance(operation, Operation) else operation()

    @contextmanager
    def _errors(self, migration: Migration) -> Iterator[None]:
        try:
            yield
        except TransactionEnded as error:
            # The history row was committed together with the rest.
            self._database.execute_sql(FORGET, (migration.name,))
            raise MigrationError(
                f"{migration.name} ended its own transaction, and what it did before that stays: undo it by "
                "hand, and remove COMMIT and ROLLBACK from the migration"
            ) from error
        except (peewee.PeeweeException, psycopg2.Error) as error:
            raise MigrationError(self._sentence(migration, error)) from error
        except Exception as error:
            undone = "was rolled back" if migration.transaction else PARTLY
            raise MigrationError(
                f"{migration.name} failed and {undone}: {blame(migration.path, error)}"
            ) from error

    def _sentence(self, migration: Migration, error: Exception) -> str:
        name = migration.name
        undone = "was rolled back" if migration.transaction else PARTLY
        code = sqlstate(error)
        if code == LOCK_NOT_AVAILABLE:
            return (
                f"{name} waited {self._limits.lock} s for a lock that another session holds, and {undone}: "
                "run it again when that session is done, or with a larger MIGRATE_LOCK_TIMEOUT"
            )
        if code == QUERY_CANCELED and self._limits.statement and migration.transaction:
            return (
                f"{name} was cancelled and {undone}: a statement took over {self._limits.statement} s; "
                "split it up, or run it with a larger MIGRATE_STATEMENT_TIMEOUT"
            )
        if code is None and isinstance(error, OUTAGES):
            return (
                f"{name} lost its connection: flask db status shows whether it was applied ({reason(error)})"
            )
        return f"{name} failed and {undone}: {reason(error)}"
