"""The words of products once more: a sign between letters ends a word, whatever PostgreSQL makes of it.

`HTML/CSS` was a file to it, and where the locale knows only ASCII, guillemets and dashes were letters. The
words of the products that are there follow in batches, so that nobody waits for longer than one takes. For
`touch`, which runs before the trigger of the words, nothing changes in them.
"""

import peewee
from peewee_migrate import Migrator

TRANSACTION = False

# What is neither letter nor digit, by code point.
SIGNS = (
    r"[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf"
    r"\u00d7\u00f7\u2000-\u206f\u20a0-\u214f\u2190-\u2bff\u3000-\u303f\ufe00-\ufe0f\uff01-\uff0f"
    r"\U0001f000-\U0001faff]+"
)

UP = f"""
CREATE OR REPLACE FUNCTION write_product_words() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    name text := regexp_replace(left(NEW.name, 20000), '{SIGNS}', ' ', 'g');
    description text := regexp_replace(left(NEW.description, 20000), '{SIGNS}', ' ', 'g');
BEGIN
    NEW.search :=
        setweight(to_tsvector('pg_catalog.russian', name), 'A')
        || setweight(to_tsvector('pg_catalog.simple', name), 'A')
        || setweight(to_tsvector('pg_catalog.russian', description), 'B')
        || setweight(to_tsvector('pg_catalog.simple', description), 'B');
    RETURN NEW;
END
$$
"""

DOWN = """
CREATE OR REPLACE FUNCTION write_product_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.search :=
        setweight(to_tsvector('pg_catalog.russian', left(NEW.name, 20000)), 'A')
        || setweight(to_tsvector('pg_catalog.simple', left(NEW.name, 20000)), 'A')
        || setweight(to_tsvector('pg_catalog.russian', left(NEW.description, 20000)), 'B')
        || setweight(to_tsvector('pg_catalog.simple', left(NEW.description, 20000)), 'B');
    RETURN NEW;
END
$$
"""

# The trigger does the work. Each batch says where it ended, and None is the end of the table.
BATCH = """
WITH batch AS (SELECT id FROM products WHERE id > %s ORDER BY id LIMIT 1000),
written AS (UPDATE products SET name = name WHERE id IN (SELECT id FROM batch))
SELECT max(id) FROM batch
"""


def write(database: peewee.Database) -> None:
    """Write the words of all products anew, batch after batch."""
    # An id may be negative: it is whatever the old data said.
    last = -(2**63)
    while last is not None:
        (last,) = database.execute_sql(BATCH, (last,)).fetchone()


def migrate(migrator: Migrator, database: peewee.Database, *, fake: bool = False) -> None:
    """Replace the function of the trigger, and write all words by it."""
    migrator.sql(UP)
    migrator.run(write, database)


def rollback(migrator: Migrator, database: peewee.Database, *, fake: bool = False) -> None:
    """Write them as they were."""
    migrator.sql(DOWN)
    migrator.run(write, database)
