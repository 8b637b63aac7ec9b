"""Orders of one status by time, the newest first, by an index in place of one that knew no order."""

import peewee
from peewee_migrate import Migrator

TRANSACTION = False


def migrate(migrator: Migrator, database: peewee.Database, *, fake: bool = False) -> None:
    """Build the new index beside the old one, and drop that."""
    migrator.sql(
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_of_status"
        " ON orders (status, timezone('UTC', created_at) DESC, id DESC)"
    )
    migrator.sql("DROP INDEX CONCURRENTLY IF EXISTS orders_by_status")


def rollback(migrator: Migrator, database: peewee.Database, *, fake: bool = False) -> None:
    """Build the old index, and drop the new one."""
    migrator.sql("CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_by_status ON orders (status)")
    migrator.sql("DROP INDEX CONCURRENTLY IF EXISTS orders_of_status")
