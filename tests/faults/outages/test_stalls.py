"""A PostgreSQL that does not respond: a lock, a frozen process, or a slow, silent or broken network."""

import pytest

from tests.faults.breaking import freeze_backend, lock_orders, reset, slow_down, swallow
from tests.faults.clusters import alive
from tests.faults.load import BUYERS
from tests.faults.outages.conftest import BUSY, IN_PROGRESS, UNAVAILABLE, StartTrial
from tests.faults.proxy import Proxy

#: Seconds that the fault lasts: longer than any timeout of the service.
DURATION = 25


@pytest.mark.long
def test_requests_do_not_wait_for_the_end_of_a_lock_on_the_orders(start_trial: StartTrial) -> None:
    with start_trial("orders locked", BUSY, allowed=(IN_PROGRESS,)) as trial:
        lock_orders(trial.postgres, DURATION)

    assert not trial.waited()


@pytest.mark.long
def test_a_frozen_backend_blocks_at_most_one_request(start_trial: StartTrial) -> None:
    with start_trial("a backend frozen", allowed=(UNAVAILABLE, IN_PROGRESS)) as trial:
        frozen = freeze_backend(trial.postgres, DURATION)

    # It ended because the service had given up its connection.
    assert not alive(frozen)
    # One request waits, though not until the end; all others are unaffected.
    assert sum(not answer.good for answer in trial.load.answers()) <= 1
    meanwhile = [answer for answer in trial.load.answers() if trial.began < answer.began]
    assert {answer.verb for answer in meanwhile if answer.ended < trial.ended} == BUYERS.keys()
    assert not trial.waited()


class TestNetwork:
    """The shop connects to its PostgreSQL through the proxy."""

    @pytest.fixture
    def url(self, proxy: Proxy) -> str:
        """The URL of the server through the proxy."""
        return proxy.url

    @pytest.mark.long
    def test_a_slow_network_causes_no_failure(self, start_trial: StartTrial, proxy: Proxy) -> None:
        with start_trial("network slow: 0.1 s each way"):
            slow_down(proxy, DURATION)

    @pytest.mark.long
    def test_requests_do_not_wait_for_the_end_of_a_silent_network(
        self, start_trial: StartTrial, proxy: Proxy
    ) -> None:
        with start_trial("network silent", UNAVAILABLE, allowed=(IN_PROGRESS,)) as trial:
            swallow(proxy, DURATION)

        assert not trial.waited()

    @pytest.mark.long
    def test_a_broken_network_loses_no_order(self, start_trial: StartTrial, proxy: Proxy) -> None:
        with start_trial("network broken, ten times", allowed=(UNAVAILABLE, IN_PROGRESS)) as trial:
            reset(proxy, 10)

        assert trial.connections
        assert not trial.kept()
