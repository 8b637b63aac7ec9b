"""PostgreSQL stopped, started and killed under load: what clients are answered, and what is kept."""

import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.faults.clusters import Postgres
from tests.faults.outages.conftest import Endure

UNAVAILABLE = "503 database_unavailable"


def restart(mode: str) -> Callable[[Postgres], None]:
    """A stop in one of pg_ctl's ways, and a start."""

    def fault(postgres: Postgres) -> None:
        postgres.stop(mode)
        postgres.start()

    return fault


def backend(postgres: Postgres) -> None:
    """The end of one connection by -9, upon which the server throws out the others and recovers."""
    ((process,),) = postgres.ask("SELECT pid FROM pg_stat_activity WHERE usename = 'nexus' LIMIT 1")
    os.kill(process, signal.SIGKILL)


def postmaster(postgres: Postgres) -> None:
    """The end of the server itself by -9, and a start."""
    postgres.kill()
    postgres.start()


def absence(postgres: Postgres) -> None:
    """Twenty seconds without a server."""
    postgres.stop("fast")
    time.sleep(20)
    postgres.start()


FAULTS = {
    "restart, fast": restart("fast"),
    "restart, immediate": restart("immediate"),
    "kill -9 of a backend": backend,
    "kill -9 of the postmaster": postmaster,
    "stopped for 20 s": absence,
}


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
def test_what_was_acknowledged_outlives_the_server(endure: Endure, fault: str) -> None:
    with endure(fault, UNAVAILABLE) as trial:
        FAULTS[fault](trial.postgres)
