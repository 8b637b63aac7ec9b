"""An index of all orders by time, with what a sum of them needs, built while the table is written to."""

import peewee
from peewee_migrate import Migrator

TRANSACTION = False


def migrate(migrator: Migrator, database: peewee.Database, *, fake: bool = False) -> None:
    """Build the index."""
    migrator.sql(
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_by_time"
        " ON orders (timezone('UTC', created_at) DESC, id DESC)"
        " INCLUDE (created_at, status, currency, amount)"
    )


def rollback(migrator: Migrator, database: peewee.Database, *, fake: bool = False) -> None:
    """Drop the index."""
    migrator.sql("DROP INDEX CONCURRENTLY IF EXISTS orders_by_time")
