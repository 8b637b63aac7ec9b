"""Locks that block another process at a certain statement, to see what it leaves if it ends there."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from nexus.config import Settings
from nexus.db.connection import connect
from tests.sql import query

WAITERS = (
    "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE NOT granted AND datname = current_database()"
)


@contextmanager
def held(settings: Settings, sql: str) -> Iterator[None]:
    """Run a statement and hold its locks until the end of the block."""
    with closing(connect(settings.direct, wait=5)) as connection:
        connection.autocommit = False
        connection.cursor().execute(sql)
        yield


def until_someone_waits(settings: Settings, *, at_least: int = 1) -> None:
    """Return as soon as at least this many sessions of the database wait for a lock."""
    for _ in range(600):
        if query(settings, WAITERS)[0][0] >= at_least:
            return
        time.sleep(0.05)
    raise AssertionError("no session waited for the lock")
