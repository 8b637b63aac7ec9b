"""The soak test: ten minutes of load while random faults occur one after another."""

import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from nexus.config import Settings
from tests.faults import breaking
from tests.faults.clusters import Postgres
from tests.faults.load import BUYERS, Load
from tests.faults.outages.conftest import BUSY, IN_PROGRESS, UNAVAILABLE, StartTrial
from tests.faults.proxy import Proxy
from tests.faults.shop import Shop

#: Seconds in total, of warm-up before memory is measured, and of each of the two periods compared.
LENGTH, WARM_UP, PERIOD = 600, 120, 60
#: Random for each run; to repeat a run, put its seed here.
SEED = random.SystemRandom().randrange(10**6)
PEOPLE = {**BUYERS, "sign in": 0.3}
#: How far memory may grow, relative to that after the first minutes.
GROWTH = 1.10
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'nexus'"
SUMS = """
SELECT (SELECT count(*) FROM orders),
       (SELECT count(*) FROM order_events WHERE "from" IS NULL),
       (SELECT count(*) FROM orders WHERE status = 'paid'),
       (SELECT count(*) FROM order_events WHERE "to" = 'paid')
"""


@pytest.fixture
def url(proxy: Proxy) -> str:
    """The URL of the server through the proxy."""
    return proxy.url


@pytest.fixture
def shop(root: Path, settings: Settings, tmp_path: Path, url: str) -> Iterator[Shop]:
    """A running shop whose workers are not restarted now and then, which would hide that memory grows."""
    shop = Shop(root, settings, url, tmp_path / "server.log", GUNICORN_CMD_ARGS="--max-requests 0")
    try:
        yield shop
    finally:
        shop.server.stop()


def outages(postgres: Postgres) -> list[Callable[[], object]]:
    """Return the faults during which requests fail."""
    return [
        partial(breaking.restart, postgres, mode="fast"),
        partial(breaking.restart, postgres, mode="immediate"),
        partial(breaking.restart, postgres, mode="fast", pause=20),
        partial(breaking.kill_backend, postgres),
        partial(breaking.kill_postmaster, postgres),
        partial(breaking.refuse_writes, postgres, seconds=5),
        partial(breaking.take_connections, postgres, seconds=5),
    ]


def stalls(postgres: Postgres, proxy: Proxy) -> list[Callable[[], object]]:
    """Return the faults that may only delay requests."""
    return [
        partial(breaking.lock_orders, postgres, seconds=8),
        partial(breaking.freeze_backend, postgres, seconds=8),
        partial(breaking.slow_down, proxy, seconds=10),
        partial(breaking.swallow, proxy, seconds=8),
        partial(breaking.reset, proxy, times=5),
    ]


@pytest.mark.long
def test_ten_minutes_of_random_faults_lose_no_order_and_leak_no_memory(
    start_trial: StartTrial, shop: Shop, postgres: Postgres, proxy: Proxy
) -> None:
    rng = random.Random(SEED)
    certain, uncertain = outages(postgres), stalls(postgres, proxy)
    name = f"soak of {LENGTH} s, seed {SEED}"
    load, workers = Load(shop.target, buyers=PEOPLE, seed=SEED), shop.workers()
    with (
        start_trial(name, UNAVAILABLE, allowed=(BUSY, IN_PROGRESS), load=load) as trial,
        measured_memory(shop) as memory,
    ):
        ended, count = trial.began + LENGTH, 0
        while time.monotonic() < ended:
            began, fault = time.monotonic(), rng.choice(certain + uncertain)
            fault()
            if fault in certain:
                load.until_one_gets(UNAVAILABLE, since=began)
            count += 1
            time.sleep(rng.uniform(2, 8))

    early = statistics.median([used for at, used in memory if WARM_UP <= at < WARM_UP + PERIOD])
    late = statistics.median([used for _, used in memory[-PERIOD:]])
    ((connections,),) = postgres.ask(CONNECTIONS)
    ((orders, created_events, paid, paid_events),) = postgres.ask(SUMS)
    trial.row["fault"] += (
        f": {count} faults; workers {early:.0f} MiB, at the end {late:.0f} MiB; {connections} connections; "
        f"{orders} orders with {created_events} first events, {paid} paid with {paid_events} paid events"
    )
    assert {answer.verb for answer in trial.load.answers() if answer.good} == PEOPLE.keys()
    assert (orders, paid) == (created_events, paid_events)
    assert shop.workers() == workers
    assert late <= early * GROWTH
    # The default of DATABASE_POOL_SIZE is 8 for each process.
    assert connections <= 8 * len(workers)


@contextmanager
def measured_memory(shop: Shop) -> Iterator[list[tuple[float, float]]]:
    """Measure the workers' memory every second of a block: seconds since its start, and MiB."""
    samples: list[tuple[float, float]] = []
    over = threading.Event()
    begun = time.monotonic()

    def watch() -> None:
        while not over.wait(1):
            samples.append((time.monotonic() - begun, shop.memory()))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()
