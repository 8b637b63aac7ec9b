"""Indexes for a seller's products by price and by name, built while the table is written to."""

import peewee
from peewee_migrate import Migrator

TRANSACTION = False


def migrate(migrator: Migrator, database: peewee.Database, *, fake: bool = False) -> None:
    """Build the indexes."""
    migrator.sql(
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS products_of_user_by_price ON products (user_id, price, id)"
    )
    migrator.sql(
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS products_of_user_by_name"
        ' ON products (user_id, (lower(left(name, 255)) COLLATE "C"), id)'
    )


def rollback(migrator: Migrator, database: peewee.Database, *, fake: bool = False) -> None:
    """Drop the indexes."""
    migrator.sql("DROP INDEX CONCURRENTLY IF EXISTS products_of_user_by_name")
    migrator.sql("DROP INDEX CONCURRENTLY IF EXISTS products_of_user_by_price")
