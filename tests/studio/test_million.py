"""Every page over a million orders: few statements, which use indexes and read few blocks."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from nexus.config import Settings
from nexus.db import database
from nexus.studio.door import Door
from tests.million import fill
from tests.studio.conftest import PORT, studio
from tests.studio.test_pages import QUERIES, heard, keys, link

#: How many blocks of 8 kB a page may read. The orders alone have more than 20,000.
BLOCKS = 10_000
#: The home page sums its four weeks from an index, less than a twelfth of it.
HOME_BLOCKS = 2_000


@pytest.fixture
def reader(settings: Settings, scratch: Settings) -> Iterator[FlaskClient]:
    """A client of a studio over a million orders."""
    fill(scratch)
    database.configure(scratch.direct, size=2, wait=5)
    door = Door(PORT)
    client = studio(scratch, door)
    client.get(door.link)
    try:
        yield client
    finally:
        database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)


def visit(client: FlaskClient, path: str, *, limit: int = BLOCKS) -> str:
    """Open a page, and check how much its statements read in the database."""
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
    assert blocks < limit, (path, blocks)
    return answer.text


def scanned(plan: dict[str, Any]) -> set[str]:
    """The tables that a plan scans sequentially."""
    here = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set()
    return here.union(*map(scanned, plan.get("Plans", ())))


@pytest.mark.long
def test_pages_over_a_million_orders_use_indexes_and_read_few_blocks(
    reader: FlaskClient, subtests: pytest.Subtests
) -> None:
    (order, *_) = keys(visit(reader, "/tables/orders"), "orders")
    lists = [
        *("/tables/orders", "/tables/orders?order=up", "/tables/order_events", "/tables/products?sort=price"),
        *(f"/tables/orders?is.status={one}" for one in ("paid", "created", "processing", "refunded")),
        *(f"/tables/orders?is.{one}=7" for one in ("seller_id", "product_id")),
    ]
    for path in lists:
        with subtests.test(path):
            visit(reader, link(visit(reader, path), "Next page"))
    with subtests.test("/"):
        assert 'class="chart"' in visit(reader, "/", limit=HOME_BLOCKS)
    for path in (
        *("/tables/orders?is.status=cancelled", "/tables/orders?is.email=buyer7@example.com"),
        *("/tables/orders?is.status=cancelled&is.seller_id=3", f"/tables/orders/{order}"),
        *("/tables/users/7", "/tables/products/7", "/find?q=course", "/find?q=7", f"/find?q={order}"),
    ):
        with subtests.test(path):
            visit(reader, path)
