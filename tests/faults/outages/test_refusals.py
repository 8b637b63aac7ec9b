"""A PostgreSQL that answers and refuses: nothing may be written, no connection is left."""

import time
from contextlib import ExitStack, closing, suppress

import psycopg2
import pytest

from tests.faults.clusters import Postgres
from tests.faults.outages.conftest import Endure
from tests.faults.trials import LOOKING, Trial

UNAVAILABLE = "503 database_unavailable"
#: Seconds for which a refusal lasts.
LONG = 10
#: Ends the connections of the service.
THROW_OUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE usename = 'nexus' AND application_name <> 'greedy'"
)


@pytest.mark.long
def test_what_is_read_only_can_be_read(endure: Endure) -> None:
    with endure("read-only", UNAVAILABLE) as trial:
        read_only(trial.postgres, "on")
        time.sleep(LONG)
        read_only(trial.postgres, "off")

    assert browsed(trial) == {"200"}


def read_only(postgres: Postgres, value: str) -> None:
    """Refuse every write from the next statement on, or no longer."""
    postgres.ask(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
    postgres.ask("SELECT pg_reload_conf()")


def browsed(trial: Trial) -> set[str]:
    """How those who only looked were answered."""
    return {answer.kind for answer in trial.load.answers() if answer.verb in LOOKING}


@pytest.mark.long
def test_others_have_all_connections(endure: Endure) -> None:
    with endure("out of connections", UNAVAILABLE) as trial, ExitStack() as held:
        greedy = trial.postgres.url(more="?application_name=greedy")
        with trial.postgres.session() as superuser:
            ended = time.monotonic() + LONG
            while time.monotonic() < ended:
                with suppress(psycopg2.OperationalError):
                    while True:
                        held.enter_context(closing(psycopg2.connect(greedy)))
                # What the service has left goes to whoever connects first, and so to us in the end.
                superuser.execute(THROW_OUT)
                time.sleep(0.05)
