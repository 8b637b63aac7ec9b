"""The role of an account, and the tokens by which an operator lets someone choose a new password."""

import peewee
from peewee_migrate import Migrator

UP = """
ALTER TABLE users
    ADD COLUMN role text NOT NULL DEFAULT 'seller'
    CONSTRAINT users_role CHECK (role IN ('seller', 'admin'));

CREATE TABLE resets (
    user_id bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    hash text NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT resets_hash UNIQUE (hash)
);

CREATE TRIGGER touch BEFORE UPDATE ON resets
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_updated_at();
"""

DOWN = """
DROP TABLE resets;
ALTER TABLE users DROP COLUMN role;
"""


def migrate(migrator: Migrator, database: peewee.Database, *, fake: bool = False) -> None:
    """Add the column and the table."""
    migrator.sql(UP)


def rollback(migrator: Migrator, database: peewee.Database, *, fake: bool = False) -> None:
    """Drop them: who was an admin is forgotten."""
    migrator.sql(DOWN)
