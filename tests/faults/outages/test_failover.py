"""A primary with a synchronous standby that takes its place: the shop goes on, and no order is missing."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.clusters import Postgres, system_programs
from tests.faults.outages.conftest import FEW, UNAVAILABLE, UNCONFIRMED, Endure

#: Seconds until somebody notices that the primary is gone, and promotes the standby.
NOTICED = 5
#: Gives up waiting for the standby, on behalf of everyone who waits; the server then calls it done.
CANCEL = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture(params=["embedded", "system"])
def programs(request: pytest.FixtureRequest) -> Path | None:
    """Both the PostgreSQL of the package and the system's."""
    if request.param == "embedded":
        return None
    found = system_programs()
    if found is None:
        pytest.skip("there is no PostgreSQL of the system in /usr/lib/postgresql")
    return found


@pytest.fixture
def standby(postgres: Postgres, tmp_path: Path) -> Iterator[Postgres]:
    """A standby for which every COMMIT of the primary waits."""
    standby = postgres.copy(tmp_path / "standby", FEW)
    try:
        postgres.ask("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        postgres.ask("SELECT pg_reload_conf()")
        while postgres.ask("SELECT sync_state FROM pg_stat_replication") != [("sync",)]:
            time.sleep(0.05)
        yield standby
    finally:
        standby.remove()


@pytest.fixture
def url(postgres: Postgres, standby: Postgres) -> str:
    """Both servers; whichever takes writes is the one."""
    return postgres.url(standby, more="?target_session_attrs=read-write")


@pytest.mark.long
def test_the_standby_has_every_order(endure: Endure, postgres: Postgres, standby: Postgres) -> None:
    fault = f"fail-over, standby promoted after {NOTICED} s"
    with endure(fault, UNAVAILABLE, kept_by=standby):
        postgres.kill()
        time.sleep(NOTICED)
        standby.promote()


@pytest.mark.long
def test_what_the_standby_did_not_confirm_is_not_reported_as_safe(
    endure: Endure, postgres: Postgres, standby: Postgres
) -> None:
    fault = "fail-over, after COMMITs that the standby did not confirm"
    with endure(fault, UNAVAILABLE, UNCONFIRMED, kept_by=standby):
        standby.kill()
        cancelled = 0
        for _ in range(NOTICED * 10):
            time.sleep(0.1)
            cancelled += postgres.ask(CANCEL)[0][0]
        postgres.kill()
        standby.start()
        standby.promote()

    assert cancelled
