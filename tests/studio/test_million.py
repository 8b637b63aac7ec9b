"""Every page over a million orders: few statements, by indexes, which look at few blocks."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from flask.testing import FlaskClient

from nexus.config import Settings
from nexus.db import connect, database
from nexus.migrate import History
from nexus.studio.door import Door
from tests.studio.conftest import PORT, studio
from tests.studio.test_pages import QUERIES, heard, keys, link

#: Blocks of 8 kB that a page may look at. The orders alone have 20,000 and more.
BLOCKS = 10_000

#: Most orders are paid, the newest are not, and of the other statuses one is rare and one very rare.
FILL = """
SET nexus.import = 'on';
INSERT INTO users (email, password)
SELECT 'seller' || n || '@example.com', 'x' FROM generate_series(1, 1000) n;
INSERT INTO products (user_id, name, price, currency)
SELECT 1 + n % 1000, 'Course ' || n, n % 5000, 'USD' FROM generate_series(1, 10000) n;
INSERT INTO orders (seller_id, product_id, product_name, email, status, amount, currency, created_at)
SELECT 1 + n % 1000, 1 + n % 10000, 'Course', 'buyer' || n % 50000 || '@example.com',
    CASE WHEN n % 100000 = 0 THEN 'cancelled' WHEN n % 1000 = 1 THEN 'refunded'
         WHEN n % 100 = 2 THEN 'processing' WHEN n > 900000 THEN 'created' ELSE 'paid' END,
    1000, 'USD', timestamptz '2024-01-01' + n * interval '1 min'
FROM generate_series(1, 1000000) n;
INSERT INTO order_events (order_id, at, "to", actor) SELECT id, created_at, status, 'import' FROM orders;
"""


@pytest.fixture
def reader(settings: Settings, scratch: Settings) -> Iterator[FlaskClient]:
    """Somebody in a studio over a million orders."""
    History.of(scratch).migrate()
    with closing(connect(scratch.direct, wait=5)) as connection:
        connection.cursor().execute(FILL)
        connection.cursor().execute("VACUUM ANALYZE")
    database.configure(scratch.direct, size=2, wait=5)
    door = Door(PORT)
    client = studio(scratch, door)
    client.get(door.link)
    try:
        yield client
    finally:
        database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)


def visit(client: FlaskClient, path: str) -> str:
    """Open a page, and look at what it does in the database."""
    with heard() as statements:
        answer = client.get(path)
    assert answer.status_code == 200, path
    assert len(statements) <= QUERIES, path
    blocks = 0
    with database.connection_context():
        for sql, values in statements:
            found = database.execute_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", values)
            plan = found.fetchone()[0][0]["Plan"]
            blocks += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
            assert not scanned(plan) & {"orders", "order_events", "products"}, (path, plan)
    assert blocks < BLOCKS, (path, blocks)
    return answer.text


def scanned(plan: dict[str, Any]) -> set[str]:
    """The tables that a plan reads from end to end."""
    here = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set()
    return here.union(*map(scanned, plan.get("Plans", ())))


@pytest.mark.long
def test_a_million_orders_are_as_fast_as_few(reader: FlaskClient, subtests: pytest.Subtests) -> None:
    (order, *_) = keys(visit(reader, "/tables/orders"), "orders")
    lists = [
        *("/tables/orders", "/tables/orders?order=up", "/tables/order_events", "/tables/products?sort=price"),
        *(f"/tables/orders?is.status={one}" for one in ("paid", "created", "processing", "refunded")),
        *(f"/tables/orders?is.{one}=7" for one in ("seller_id", "product_id")),
    ]
    for path in lists:
        with subtests.test(path):
            visit(reader, link(visit(reader, path), "Next page"))
    for path in (
        *("/", "/tables/orders?is.status=cancelled", "/tables/orders?is.email=buyer7@example.com"),
        *("/tables/orders?is.status=cancelled&is.seller_id=3", f"/tables/orders/{order}"),
        *("/tables/users/7", "/tables/products/7", "/find?q=course", "/find?q=7", f"/find?q={order}"),
    ):
        with subtests.test(path):
            visit(reader, path)
