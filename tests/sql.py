"""Plain SQL, independent of the application, to inspect and prepare the database."""

from contextlib import closing
from typing import Any

from nexus.config import Settings
from nexus.db.connection import connect

#: Terminates all other connections to the database, and counts them.
TERMINATE = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def query(settings: Settings, sql: str, *values: Any) -> list[Any]:
    """Run one statement on a new connection, and return its rows."""
    with closing(connect(settings.direct, wait=5)) as connection:
        cursor = connection.cursor()
        cursor.execute(sql, values)
        return list(cursor.fetchall()) if cursor.description else []
