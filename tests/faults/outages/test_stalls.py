"""A PostgreSQL that does not answer: a lock, a frozen process, a network that is slow, silent or broken."""

import pytest

from tests.faults.breaking import freeze_backend, lock_orders, reset, slow_down, swallow
from tests.faults.load import BUYERS
from tests.faults.outages.conftest import BUSY, IN_PROGRESS, UNAVAILABLE, Endure
from tests.faults.proxy import Proxy

#: Seconds for which nothing moves: longer than any limit of the service.
LONG = 25


@pytest.mark.long
def test_a_lock_on_the_orders(endure: Endure) -> None:
    with endure("orders locked", BUSY, IN_PROGRESS) as trial:
        lock_orders(trial.postgres, LONG)

    assert not trial.waited()


@pytest.mark.long
def test_a_frozen_backend(endure: Endure) -> None:
    with endure("a backend frozen", UNAVAILABLE, IN_PROGRESS) as trial:
        freeze_backend(trial.postgres, LONG)

    # One request waits, though not to the end; all others are as ever.
    assert sum(not answer.good for answer in trial.load.answers()) <= 1
    meanwhile = [answer for answer in trial.load.answers() if trial.began < answer.began]
    assert {answer.verb for answer in meanwhile if answer.ended < trial.ended} == BUYERS.keys()
    assert not trial.waited()


class TestNetwork:
    """The shop reaches its PostgreSQL through the proxy."""

    @pytest.fixture
    def url(self, proxy: Proxy) -> str:
        """The server, by way of the proxy."""
        return proxy.url

    @pytest.mark.long
    def test_slow(self, endure: Endure, proxy: Proxy) -> None:
        with endure("network slow: 0.1 s each way"):
            slow_down(proxy, LONG)

    @pytest.mark.long
    def test_silent(self, endure: Endure, proxy: Proxy) -> None:
        with endure("network silent", UNAVAILABLE, IN_PROGRESS) as trial:
            swallow(proxy, LONG)

        assert not trial.waited()

    @pytest.mark.long
    def test_broken(self, endure: Endure, proxy: Proxy) -> None:
        with endure("network broken, ten times", UNAVAILABLE, IN_PROGRESS):
            reset(proxy, 10)
