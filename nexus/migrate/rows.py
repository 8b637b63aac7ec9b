"""The history table: which migrations have been applied, and the digests of their files."""

from dataclasses import dataclass
from datetime import UTC, datetime

import peewee
from peewee_migrate.router import BaseRouter
from psycopg2.errors import UndefinedTable

TABLE = "migratehistory"

UNIQUE_NAME = f"CREATE UNIQUE INDEX IF NOT EXISTS {TABLE}_name ON {TABLE} (name)"
DIGEST = f"ALTER TABLE {TABLE} ADD COLUMN IF NOT EXISTS digest text"
HAS_DIGEST = (
    f"SELECT FROM pg_attribute WHERE attrelid = to_regclass('{TABLE}')"
    " AND attname = 'digest' AND NOT attisdropped"
)
#: Through jsonb, since a table that was created before there were digests has no such column.
ROWS = f"SELECT name, migrated_at, to_jsonb(h) ->> 'digest' FROM {TABLE} h ORDER BY id"  # noqa: S608
REMEMBER = (
    f"INSERT INTO {TABLE} (name, digest, migrated_at) VALUES (%s, %s, now() AT TIME ZONE 'UTC')"  # noqa: S608
    " ON CONFLICT (name) DO NOTHING"
)
FORGET = f"DELETE FROM {TABLE} WHERE name = %s"  # noqa: S608


@dataclass(frozen=True)
class Row:
    """One applied migration."""

    name: str
    applied_at: datetime
    #: None if it was applied before there were digests.
    digest: str | None


def prepare(database: peewee.Database) -> None:
    """Create peewee-migrate's table, with a unique name and a digest; do not touch one that has them.

    Even an ALTER TABLE that changes nothing would wait for readers of the table, such as a backup.
    """
    if not database.execute_sql(HAS_DIGEST).rowcount:
        with database.atomic():
            BaseRouter(database, migrate_table=TABLE).model  # noqa: B018  The first access creates the table.
            database.execute_sql(UNIQUE_NAME)
            database.execute_sql(DIGEST)


def rows(database: peewee.Database) -> list[Row]:
    """The applied migrations in the order of application; none if there is no table yet."""
    try:
        found = database.execute_sql(ROWS).fetchall()
    except peewee.ProgrammingError as error:
        if isinstance(getattr(error, "orig", None), UndefinedTable):
            return []
        raise
    return [Row(name, moment.replace(tzinfo=UTC), digest) for name, moment, digest in found]
