"""Ten minutes of everything: a shop that is used while one fault after another comes at random."""

import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from tests.faults import breaking
from tests.faults.clusters import Postgres
from tests.faults.load import BUYERS, Load
from tests.faults.outages.conftest import BUSY, IN_PROGRESS, UNAVAILABLE, Endure
from tests.faults.proxy import Proxy
from tests.faults.shop import Shop

#: Seconds in all, until memory is compared, and of each of the two times that are compared.
LENGTH, WARM, SPAN = 600, 120, 60
#: Each run is another one; to see one again, put its number here.
SEED = random.SystemRandom().randrange(10**6)
PEOPLE = {**BUYERS, "sign in": 0.3}
#: What may be had of memory beyond what was had after the first minutes.
FLAT = 1.10
SERVED = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'nexus'"
SUMS = """
SELECT (SELECT count(*) FROM orders),
       (SELECT count(*) FROM order_events WHERE "from" IS NULL),
       (SELECT count(*) FROM orders WHERE status = 'paid'),
       (SELECT count(*) FROM order_events WHERE "to" = 'paid')
"""


@pytest.fixture
def url(proxy: Proxy) -> str:
    """The server, by way of the proxy."""
    return proxy.url


def faults(postgres: Postgres, proxy: Proxy) -> list[Callable[[], None]]:
    """What may happen at any time, each as long as it may last."""
    return [
        partial(breaking.restart, postgres, mode="fast"),
        partial(breaking.restart, postgres, mode="immediate"),
        partial(breaking.restart, postgres, mode="fast", pause=20),
        partial(breaking.kill_backend, postgres),
        partial(breaking.kill_postmaster, postgres),
        partial(breaking.refuse_writes, postgres, seconds=5),
        partial(breaking.take_connections, postgres, seconds=5),
        partial(breaking.lock_orders, postgres, seconds=8),
        partial(breaking.freeze_backend, postgres, seconds=8),
        partial(breaking.slow_down, proxy, seconds=10),
        partial(breaking.swallow, proxy, seconds=8),
        partial(breaking.reset, proxy, times=5),
    ]


@pytest.mark.long
def test_ten_minutes_of_faults(endure: Endure, shop: Shop, postgres: Postgres, proxy: Proxy) -> None:
    chance = random.Random(SEED)
    possible = faults(postgres, proxy)
    fault = f"soak of {LENGTH} s, seed {SEED}"
    allowed = (UNAVAILABLE, BUSY, IN_PROGRESS)
    with (
        endure(fault, *allowed, load=Load(shop.stall, buyers=PEOPLE, seed=SEED)) as trial,
        watched(shop) as memory,
    ):
        ended, count = trial.began + LENGTH, 0
        while time.monotonic() < ended:
            chance.choice(possible)()
            count += 1
            time.sleep(chance.uniform(2, 8))

    early = statistics.median([used for at, used in memory if WARM <= at < WARM + SPAN])
    late = statistics.median([used for _, used in memory[-SPAN:]])
    ((connections,),) = postgres.ask(SERVED)
    ((orders, births, paid, payments),) = postgres.ask(SUMS)
    trial.row["fault"] += (
        f": {count} faults; workers {early:.0f} MiB, at the end {late:.0f} MiB; {connections} connections; "
        f"{orders} orders and {births} births, {paid} paid and {payments} payments"
    )
    assert {answer.verb for answer in trial.load.answers() if answer.good} == PEOPLE.keys()
    assert (orders, paid) == (births, payments)
    assert late <= early * FLAT
    # Two processes of four connections each.
    assert connections <= 8


@contextmanager
def watched(shop: Shop) -> Iterator[list[tuple[float, float]]]:
    """What the workers have of memory, every second of a block: seconds since its beginning, mebibytes."""
    seen: list[tuple[float, float]] = []
    over = threading.Event()
    begun = time.monotonic()

    def watch() -> None:
        while not over.wait(1):
            seen.append((time.monotonic() - begun, shop.memory()))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
