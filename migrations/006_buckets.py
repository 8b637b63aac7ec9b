"""How much of a rate somebody has used up, shared by all processes."""

import peewee
from peewee_migrate import Migrator

# Unlogged: a try at a password costs no write-ahead log. After a crash, or on a standby that takes over, the
# table is empty, so every bucket is full, as it would be some minutes later anyway.
UP = """
CREATE UNLOGGED TABLE buckets (
    key text PRIMARY KEY,
    full_at timestamptz NOT NULL
);
"""

DOWN = """
DROP TABLE buckets;
"""


def migrate(migrator: Migrator, database: peewee.Database, *, fake: bool = False) -> None:
    """Make the table."""
    migrator.sql(UP)


def rollback(migrator: Migrator, database: peewee.Database, *, fake: bool = False) -> None:
    """Drop it: every bucket is full."""
    migrator.sql(DOWN)
