"""PostgreSQL stopped, started and killed under load: the responses, and what is kept."""

from collections.abc import Callable
from functools import partial

import pytest

from tests.faults.breaking import kill_backend, kill_postmaster, restart
from tests.faults.clusters import Postgres
from tests.faults.outages.conftest import UNAVAILABLE, StartTrial

FAULTS: dict[str, Callable[[Postgres], None]] = {
    "restart, fast": partial(restart, mode="fast"),
    "restart, immediate": partial(restart, mode="immediate"),
    "kill -9 of a backend": kill_backend,
    "kill -9 of the postmaster": kill_postmaster,
    "stopped for 20 s": partial(restart, mode="fast", pause=20),
}


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
def test_acknowledged_orders_survive_restarts_and_kills(start_trial: StartTrial, fault: str) -> None:
    with start_trial(fault, UNAVAILABLE) as trial:
        FAULTS[fault](trial.postgres)

    assert trial.connections
    assert not trial.kept()
