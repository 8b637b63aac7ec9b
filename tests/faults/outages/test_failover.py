"""Fail-over to a synchronous standby: the shop continues, and no order is missing."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.clusters import Postgres, system_programs
from tests.faults.outages.conftest import SMALL, UNAVAILABLE, UNCONFIRMED, StartTrial

#: Seconds until an operator notices the failure of the primary and promotes the standby.
REACTION = 5
#: Cancels all waits for the standby; the server then reports these commits as successful.
CANCEL = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture(params=["embedded", "system"])
def programs(request: pytest.FixtureRequest) -> Path | None:
    """The embedded PostgreSQL and the system's, one after the other."""
    if request.param == "embedded":
        return None
    found = system_programs()
    if found is None:
        pytest.skip("there is no PostgreSQL of the system in /usr/lib/postgresql")
    return found


@pytest.fixture
def standby(postgres: Postgres, tmp_path: Path) -> Iterator[Postgres]:
    """A synchronous standby: every COMMIT of the primary waits for it."""
    standby = postgres.copy(tmp_path / "standby", SMALL)
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
    """The URL of both servers, of which the writable one is used."""
    return postgres.url(standby, more="?target_session_attrs=read-write")


@pytest.mark.long
def test_the_standby_has_every_order(start_trial: StartTrial, postgres: Postgres, standby: Postgres) -> None:
    fault = f"fail-over, standby promoted after {REACTION} s"
    with start_trial(fault, UNAVAILABLE, kept_by=standby):
        postgres.kill()
        time.sleep(REACTION)
        standby.promote()


@pytest.mark.long
def test_unconfirmed_commits_are_not_reported_as_done(
    start_trial: StartTrial, postgres: Postgres, standby: Postgres
) -> None:
    fault = "fail-over, after COMMITs that the standby did not confirm"
    with start_trial(fault, UNAVAILABLE, UNCONFIRMED, kept_by=standby):
        standby.kill()
        cancelled = 0
        for _ in range(REACTION * 10):
            time.sleep(0.1)
            cancelled += postgres.ask(CANCEL)[0][0]
        postgres.kill()
        standby.start()
        standby.promote()

    assert cancelled
