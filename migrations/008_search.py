"""The words of products, for the search, and indexes for all products in each order.

The column is empty at first, and a trigger fills it from then on. The products that are there already follow
in batches, so that nobody waits for longer than one takes. For `touch`, which runs before the trigger of the
words, nothing changes in them.
"""

import peewee
from peewee_migrate import Migrator

TRANSACTION = False

# A tsvector has at most 1 MB, and imported text any length: an insert must not fail for what it says. The
# worst that was found to be in 20,000 characters makes a third of that.
UP = """
ALTER TABLE products ADD COLUMN IF NOT EXISTS search tsvector;
CREATE OR REPLACE FUNCTION write_product_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.search :=
        setweight(to_tsvector('pg_catalog.russian', left(NEW.name, 20000)), 'A')
        || setweight(to_tsvector('pg_catalog.simple', left(NEW.name, 20000)), 'A')
        || setweight(to_tsvector('pg_catalog.russian', left(NEW.description, 20000)), 'B')
        || setweight(to_tsvector('pg_catalog.simple', left(NEW.description, 20000)), 'B');
    RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER words BEFORE INSERT OR UPDATE OF name, description ON products
    FOR EACH ROW EXECUTE FUNCTION write_product_words();
"""

# The trigger does the work. Each batch says where it ended, and None is the end of the table.
BATCH = """
WITH batch AS (SELECT id FROM products WHERE id > %s ORDER BY id LIMIT 1000),
filled AS (
    UPDATE products SET name = name WHERE id IN (SELECT id FROM batch) AND search IS NULL
)
SELECT max(id) FROM batch
"""

# The condition holds for every row. A list of one seller's products does not say so, lest PostgreSQL take
# these indexes for it, and pass the products of others by the hundred thousand.
INDEXES = (
    # Without a list of what is pending, which every search would have to read.
    "products_by_words ON products USING gin (search) WITH (fastupdate = off)",
    "products_by_time ON products (created_at DESC, id DESC) WHERE search IS NOT NULL",
    "products_by_price ON products (price, id) WHERE search IS NOT NULL",
    'products_by_name ON products ((lower(left(name, 255)) COLLATE "C"), id) WHERE search IS NOT NULL',
)

DOWN = """
DROP TRIGGER IF EXISTS words ON products;
DROP FUNCTION IF EXISTS write_product_words();
ALTER TABLE products DROP COLUMN IF EXISTS search;
"""


def fill(database: peewee.Database) -> None:
    """Write the words of the products that have none yet, batch after batch."""
    # An id may be negative: it is whatever the old data said.
    last = -(2**63)
    while last is not None:
        (last,) = database.execute_sql(BATCH, (last,)).fetchone()


def migrate(migrator: Migrator, database: peewee.Database, *, fake: bool = False) -> None:
    """Make the column, fill it, and build the indexes while the table is written to."""
    migrator.sql(UP)
    migrator.run(fill, database)
    for index in INDEXES:
        migrator.sql(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {index}")


def rollback(migrator: Migrator, database: peewee.Database, *, fake: bool = False) -> None:
    """Drop them."""
    for index in INDEXES[::-1]:
        migrator.sql(f"DROP INDEX CONCURRENTLY IF EXISTS {index.partition(' ')[0]}")
    migrator.sql(DOWN)
