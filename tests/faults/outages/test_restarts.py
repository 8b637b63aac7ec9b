"""PostgreSQL stopped, started and killed under load: what clients are answered, and what is kept."""

from collections.abc import Callable
from functools import partial

import pytest

from tests.faults.breaking import kill_backend, kill_postmaster, restart
from tests.faults.clusters import Postgres
from tests.faults.outages.conftest import UNAVAILABLE, Endure

FAULTS: dict[str, Callable[[Postgres], None]] = {
    "restart, fast": partial(restart, mode="fast"),
    "restart, immediate": partial(restart, mode="immediate"),
    "kill -9 of a backend": kill_backend,
    "kill -9 of the postmaster": kill_postmaster,
    "stopped for 20 s": partial(restart, mode="fast", pause=20),
}


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
def test_what_was_acknowledged_outlives_the_server(endure: Endure, fault: str) -> None:
    with endure(fault, UNAVAILABLE) as trial:
        FAULTS[fault](trial.postgres)
