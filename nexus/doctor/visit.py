"""One of the two URLs with a connection through it: what is asked there, and who stands before the server."""

from contextlib import closing
from functools import cached_property
from typing import Any, Literal

import psycopg2

from nexus.config import Settings
from nexus.database_url import DatabaseURL
from nexus.db.connection import connect
from nexus.db.outages import reason

#: When the server was started, and the number of the database in it.
Identity = tuple[Any, ...]
Pooling = Literal["none", "session", "transaction", "statement"]

#: How often two connections are looked at together; a busy pooler may need more than one look.
LOOKS = 5


class Visit:
    """An open connection by one URL; the driver's errors pass through."""

    def __init__(self, settings: Settings, *, pooled: bool) -> None:
        """Connect by DATABASE_POOL_URL or by DATABASE_URL."""
        self.settings = settings
        self.pooled = pooled
        self.url = settings.pooled if pooled else settings.direct
        self.connection = self._connect()

    def _connect(self) -> Any:
        return connect(self.url, wait=self.settings.pool_wait)

    @property
    def variable(self) -> str:
        """The setting that says where to connect."""
        return "DATABASE_POOL_URL" if self.pooled else "DATABASE_URL"

    def identity(self) -> Identity:
        """What tells this database from all others."""
        (identity,) = self.ask(
            "SELECT pg_postmaster_start_time(), oid FROM pg_database WHERE datname = current_database()"
        )
        return identity

    def ask(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        cursor = self.connection.cursor()
        cursor.execute(sql, values or None)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows

    @cached_property
    def pooling(self) -> Pooling:
        """What the server's process numbers tell of a pooler between it and us.

        A pooler invents the number that a client is told when it connects. One in transaction mode gives
        the process that served us to another client as soon as we have no transaction.
        """
        if self._process(self.connection) == self.connection.info.backend_pid:
            return "none"
        with closing(self._connect()) as other:
            # In statement mode PgBouncer closes a connection that begins a transaction, and the driver gives
            # no reason.
            self._process(other)
            other.autocommit = False
            for _ in range(LOOKS):
                ours = self._process(self.connection)
                try:
                    theirs = self._process(other)
                except psycopg2.OperationalError:
                    return "statement"
                # Asked for in this order: of a single process, held by the other, ours would wait in vain.
                if theirs == ours or self._process(self.connection) != ours:
                    return "transaction"
                other.rollback()
        return "session"

    def _process(self, connection: Any) -> int:
        cursor = connection.cursor()
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def told(error: Exception, url: DatabaseURL | None) -> str:
    """What the driver said on one line, in which the password does not appear whatever the driver quotes."""
    text = reason(error)
    password = url and url.parameters.get("password")
    return text.replace(password, "***") if password else text
