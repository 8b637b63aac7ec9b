"""A shop with a separate PostgreSQL, and the trials that it must pass."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from nexus.config import Settings
from tests.conftest import GIVEN_URL
from tests.faults.clusters import Postgres, system_programs
from tests.faults.conftest import ROWS
from tests.faults.load import Load
from tests.faults.proxy import Proxy
from tests.faults.shop import Shop
from tests.faults.trials import Trial

#: Starts a trial, given the fault's name, the failures that it causes, and others that it may cause.
StartTrial = Callable[..., AbstractContextManager[Trial]]

UNAVAILABLE = "503 database_unavailable"
BUSY = "503 database_busy"
UNCONFIRMED = "503 commit_unconfirmed"
IN_PROGRESS = "409 idempotency_in_progress"
#: Settings of a server with few connections and a small write-ahead log.
SMALL = {"max_connections": "30", "min_wal_size": "2MB", "max_wal_size": "16MB"}


@pytest.fixture
def programs(pytestconfig: pytest.Config) -> Path | None:
    """The PostgreSQL to test: the system's if DATABASE_URL is set, or the embedded one."""
    given = getattr(pytestconfig, "workerinput", {}).get("database_url", GIVEN_URL)
    return system_programs() if given else None


@pytest.fixture
def place() -> Path | None:
    """The parent folder of the server's data, if not next to its log."""
    return None


@pytest.fixture
def postgres(tmp_path: Path, programs: Path | None, place: Path | None) -> Iterator[Postgres]:
    """A server that the test may break."""
    postgres = Postgres(tmp_path / "postgres", SMALL, programs=programs, data=place and place / "data")
    try:
        postgres.make()
        yield postgres
    finally:
        postgres.remove()


@pytest.fixture
def proxy(postgres: Postgres) -> Iterator[Proxy]:
    """A proxy in front of the server, for tests that connect through it."""
    proxy = Proxy(postgres)
    yield proxy
    proxy.stop()


@pytest.fixture
def url(postgres: Postgres) -> str:
    """The URL that the shop connects to."""
    return postgres.url()


@pytest.fixture
def shop(root: Path, settings: Settings, tmp_path: Path, url: str) -> Iterator[Shop]:
    """A running shop."""
    shop = Shop(root, settings, url, tmp_path / "server.log")
    try:
        yield shop
    finally:
        shop.server.stop()


@pytest.fixture
def start_trial(shop: Shop, postgres: Postgres, record_property: Callable[[str, object], None]) -> StartTrial:
    """Start a trial of the shop; at its end the orders are compared, and a row for the table is recorded."""
    rows: list[dict[str, object]] = []
    record_property(ROWS, rows)

    @contextmanager
    def begin(
        fault: str,
        *causes: str,
        allowed: tuple[str, ...] = (),
        kept_by: Postgres = postgres,
        load: Load | None = None,
    ) -> Iterator[Trial]:
        with Trial(load or Load(shop.target), kept_by, fault, causes, allowed) as trial:
            yield trial
        trial.sum_up()
        rows.append(trial.row)
        trial.check()

    return begin
