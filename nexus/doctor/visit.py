"""A connection through one of the two URLs: its queries, and the detection of a pooler."""

from contextlib import closing
from functools import cached_property
from typing import Any, Literal

import psycopg2

from nexus.config import Settings
from nexus.database_url import DatabaseURL
from nexus.db.connection import connect
from nexus.db.outages import reason

#: The start time of the server, and the oid of the database.
Identity = tuple[Any, ...]
Pooling = Literal["none", "session", "transaction", "statement"]

#: How often two connections are compared; with a busy pooler, once may not be enough.
ATTEMPTS = 5


class Visit:
    """An open connection through one URL; the driver's errors pass through."""

    def __init__(self, settings: Settings, *, pooled: bool) -> None:
        """Connect through DATABASE_POOL_URL or DATABASE_URL."""
        self.settings = settings
        self.pooled = pooled
        self.url = settings.pooled if pooled else settings.direct
        self.connection = self._connect()

    def _connect(self) -> Any:
        return connect(self.url, wait=self.settings.pool_wait)

    @property
    def variable(self) -> str:
        """The setting with the URL."""
        return "DATABASE_POOL_URL" if self.pooled else "DATABASE_URL"

    def identity(self) -> Identity:
        """What distinguishes this database from all others."""
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
        """The mode of a pooler between the server and us, detected by the server's process ids.

        A pooler invents the process id that a client gets on connecting. In transaction mode it gives the
        process that served us to another client as soon as we are not in a transaction.
        """
        if self._process(self.connection) == self.connection.info.backend_pid:
            return "none"
        with closing(self._connect()) as other:
            # In statement mode PgBouncer closes a connection that begins a transaction, without a reason in
            # the driver's error.
            self._process(other)
            other.autocommit = False
            for _ in range(ATTEMPTS):
                ours = self._process(self.connection)
                try:
                    theirs = self._process(other)
                except psycopg2.OperationalError:
                    return "statement"
                # In this order: if there is a single process, held by the other connection, ours would hang.
                if theirs == ours or self._process(self.connection) != ours:
                    return "transaction"
                other.rollback()
        return "session"

    def _process(self, connection: Any) -> int:
        cursor = connection.cursor()
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def described(error: Exception, url: DatabaseURL | None) -> str:
    """The driver's message on one line, with the password masked wherever the driver quotes it."""
    text = reason(error)
    password = url and url.parameters.get("password")
    return text.replace(password, "***") if password else text
