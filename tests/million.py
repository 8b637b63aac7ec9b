"""A shop with a million orders."""

from contextlib import closing

from nexus.config import Settings
from nexus.db.connection import connect
from nexus.migrate import History

#: Orders of the past year. Most are paid, the newest are not; of the other statuses, one is rare and one
#: very rare.
FILL = """
SET nexus.import = 'on';
INSERT INTO users (email, password)
SELECT 'seller' || n || '@example.com', 'x' FROM generate_series(1, 1000) n;
INSERT INTO products (user_id, name, price, currency)
SELECT 1 + n % 1000, 'Course ' || n, n % 5000, 'USD' FROM generate_series(1, 10000) n;
INSERT INTO orders (seller_id, product_id, product_name, email, status, amount, currency, created_at)
SELECT 1 + n % 1000, 1 + n % 10000, 'Course', 'buyer' || n % 50000 || '@example.com',
    CASE WHEN n % 100000 = 0 THEN 'cancelled' WHEN n % 1000 = 1 THEN 'refunded'
         WHEN n % 100 = 2 THEN 'processing' WHEN n > 980000 THEN 'created' ELSE 'paid' END,
    1000, 'USD', now() - (1000000 - n) * interval '31.5 s'
FROM generate_series(1, 1000000) n;
INSERT INTO order_events (order_id, at, "to", actor) SELECT id, created_at, status, 'import' FROM orders;
"""


def fill(empty: Settings) -> None:
    """Migrate an empty database and fill it with the shop."""
    History.of(empty).migrate()
    with closing(connect(empty.direct, wait=5)) as connection:
        connection.cursor().execute(FILL)
        connection.cursor().execute("VACUUM ANALYZE")
