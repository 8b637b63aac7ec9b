"""Idempotency keys: under which an order was made, and what was answered then that may be otherwise now."""

import peewee
from peewee_migrate import Migrator

UP = """
CREATE TABLE idempotency_keys (
    hash text PRIMARY KEY,
    body text NOT NULL,
    order_id uuid NOT NULL CONSTRAINT idempotency_keys_order UNIQUE
        REFERENCES orders ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    product_id bigint NOT NULL,
    status text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);
"""

DOWN = """
DROP TABLE idempotency_keys;
"""


def migrate(migrator: Migrator, database: peewee.Database, *, fake: bool = False) -> None:
    """Make the table."""
    migrator.sql(UP)


def rollback(migrator: Migrator, database: peewee.Database, *, fake: bool = False) -> None:
    """Drop it: orders that are asked for again are made again."""
    migrator.sql(DOWN)
