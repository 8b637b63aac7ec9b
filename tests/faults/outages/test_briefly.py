"""A short version of the faults: one after another, on one shop, under continuous load."""

import time
from functools import partial

from tests.faults.breaking import kill_backend, lock_orders, read_only, restart
from tests.faults.clusters import Postgres
from tests.faults.load import GOOD, Load
from tests.faults.outages.conftest import UNAVAILABLE
from tests.faults.shop import Shop, balance

FAULTS = (partial(restart, mode="immediate"), kill_backend)


def test_consecutive_faults_lose_no_order_and_the_shop_recovers(shop: Shop, postgres: Postgres) -> None:
    load = Load(shop.target, clients=8)
    load.start()
    try:
        for fault in FAULTS:
            began = time.monotonic()
            fault(postgres)
            load.until_one_gets(UNAVAILABLE, since=began)
            load.until_all_succeed(time.monotonic(), times=5)
        lock_orders(postgres, seconds=1)
        load.until_all_succeed(time.monotonic(), times=5)
        with read_only(postgres):
            load.until_one_gets(UNAVAILABLE, since=time.monotonic())
        load.until_all_succeed(time.monotonic(), times=5)
    finally:
        load.stop()

    assert load.kinds().keys() - GOOD == {UNAVAILABLE}
    assert balance(load, postgres)[1:] == (0, 0, 0)
