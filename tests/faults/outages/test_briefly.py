"""The short form of the faults: one after another, on one shop, under a load that does not pause."""

import time

from tests.faults.clusters import Postgres
from tests.faults.load import GOOD, Load
from tests.faults.outages.test_restarts import UNAVAILABLE, backend, restart
from tests.faults.shop import Shop, balance


def locked(postgres: Postgres) -> None:
    """A second in which nobody else may touch the orders."""
    with postgres.session() as cursor:
        cursor.execute("BEGIN; LOCK TABLE orders")
        time.sleep(1)


def test_faults_in_a_row_lose_no_order_and_end_with_a_shop_that_serves(
    shop: Shop, postgres: Postgres
) -> None:
    load = Load(shop.stall, clients=8)
    load.start()
    try:
        for fault in (restart("immediate"), backend, locked):
            fault(postgres)
            load.until_all_succeed(time.monotonic(), times=5)
    finally:
        load.stop()

    assert load.kinds().keys() - GOOD == {UNAVAILABLE}
    assert balance(load, postgres)[1:] == (0, 0, 0)
