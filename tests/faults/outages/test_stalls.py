"""A PostgreSQL that does not answer: a lock, a frozen process, a network that is slow, silent or broken."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.faults.clusters import Postgres
from tests.faults.outages.conftest import Endure
from tests.faults.proxy import Proxy

UNAVAILABLE = "503 database_unavailable"
IN_PROGRESS = "409 idempotency_in_progress"
#: Seconds for which nothing moves: longer than any limit of the service.
LONG = 25
#: The service's connection that has just sent the server a question.
BUSY = "SELECT pid FROM pg_stat_activity WHERE usename = 'nexus' ORDER BY query_start DESC LIMIT 1"


@pytest.mark.long
def test_a_lock_on_the_orders(endure: Endure) -> None:
    with endure("orders locked", UNAVAILABLE, IN_PROGRESS) as trial, trial.postgres.session() as cursor:
        cursor.execute("BEGIN; LOCK TABLE orders")
        time.sleep(LONG)
        cursor.execute("ROLLBACK")


@pytest.mark.long
def test_a_frozen_backend(endure: Endure) -> None:
    with endure("a backend frozen", UNAVAILABLE, IN_PROGRESS) as trial:
        ((process,),) = trial.postgres.ask(BUSY)
        os.kill(process, signal.SIGSTOP)
        frozen = time.monotonic()
        time.sleep(LONG)
        served = {answer.verb for answer in trial.load.answers() if answer.good and answer.began > frozen}
        os.kill(process, signal.SIGCONT)

    # One request waits; all others are as ever.
    assert served == set(trial.load.clients[0].mix)
    assert sum(not answer.good for answer in trial.load.answers()) <= 1
    assert not trial.waited()


@pytest.fixture
def proxy(postgres: Postgres) -> Iterator[Proxy]:
    """The network between the shop and its PostgreSQL."""
    proxy = Proxy(postgres.port)
    yield proxy
    proxy.stop()


class TestNetwork:
    """The shop reaches its PostgreSQL through the proxy."""

    @pytest.fixture
    def url(self, postgres: Postgres, proxy: Proxy) -> str:
        """The server's URL, by way of the proxy."""
        return postgres.url().replace(f":{postgres.port}/", f":{proxy.port}/")

    @pytest.mark.long
    def test_slow(self, endure: Endure, proxy: Proxy) -> None:
        with endure("network slow: 0.1 s each way"):
            proxy.delay = 0.1
            time.sleep(LONG)
            proxy.delay = 0.0

    @pytest.mark.long
    def test_silent(self, endure: Endure, proxy: Proxy) -> None:
        with endure("network silent", UNAVAILABLE, IN_PROGRESS) as trial:
            proxy.swallow()
            time.sleep(LONG)
            proxy.pass_on()

        assert not trial.waited()

    @pytest.mark.long
    def test_broken(self, endure: Endure, proxy: Proxy) -> None:
        with endure("network broken, ten times", UNAVAILABLE, IN_PROGRESS):
            for _ in range(10):
                proxy.reset()
                time.sleep(0.5)
