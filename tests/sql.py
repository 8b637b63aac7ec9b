"""Plain SQL beside the application, to see what it left in the database."""

from contextlib import closing
from typing import Any

from nexus.config import Settings
from nexus.db.connection import connect

#: End every other connection to the database, and count them.
TERMINATE = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def query(settings: Settings, sql: str, *values: Any) -> list[Any]:
    """Run one statement on a connection of its own, and answer its rows."""
    with closing(connect(settings.direct, wait=5)) as connection:
        cursor = connection.cursor()
        cursor.execute(sql, values)
        return list(cursor.fetchall()) if cursor.description else []
