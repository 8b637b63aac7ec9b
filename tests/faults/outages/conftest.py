"""A shop over a PostgreSQL of its own, and the trials that it is put through."""

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

#: Begins a trial by the fault's name and the kinds of answers that it may lead to.
Endure = Callable[..., AbstractContextManager[Trial]]

UNAVAILABLE = "503 database_unavailable"
BUSY = "503 database_busy"
UNCONFIRMED = "503 commit_unconfirmed"
IN_PROGRESS = "409 idempotency_in_progress"
#: Settings of a server with few places for connections and little room for its log of transactions.
FEW = {"max_connections": "30", "min_wal_size": "2MB", "max_wal_size": "16MB"}


@pytest.fixture
def programs(pytestconfig: pytest.Config) -> Path | None:
    """The PostgreSQL that the run is about: the system's where a server of its was given, or the embedded."""
    given = getattr(pytestconfig, "workerinput", {}).get("database_url", GIVEN_URL)
    return system_programs() if given else None


@pytest.fixture
def place() -> Path | None:
    """Where the server's data go, unless beside its log."""
    return None


@pytest.fixture
def postgres(tmp_path: Path, programs: Path | None, place: Path | None) -> Iterator[Postgres]:
    """A server that the test may break."""
    postgres = Postgres(tmp_path / "postgres", FEW, programs=programs, data=place and place / "data")
    try:
        postgres.make()
        yield postgres
    finally:
        postgres.remove()


@pytest.fixture
def proxy(postgres: Postgres) -> Iterator[Proxy]:
    """A network before the server, for those who take this way."""
    proxy = Proxy(postgres)
    yield proxy
    proxy.stop()


@pytest.fixture
def url(postgres: Postgres) -> str:
    """Where the shop connects."""
    return postgres.url()


@pytest.fixture
def shop(root: Path, settings: Settings, tmp_path: Path, url: str) -> Iterator[Shop]:
    """A shop that is open."""
    shop = Shop(root, settings, url, tmp_path / "server.log")
    try:
        yield shop
    finally:
        shop.server.stop()


@pytest.fixture
def endure(shop: Shop, postgres: Postgres, record_property: Callable[[str, object], None]) -> Endure:
    """A trial of the shop; at its end the books are compared, and a row is left for the table."""
    rows: list[dict[str, object]] = []
    record_property(ROWS, rows)

    @contextmanager
    def begin(
        fault: str, *allowed: str, kept_by: Postgres = postgres, load: Load | None = None
    ) -> Iterator[Trial]:
        with Trial(load or Load(shop.stall), kept_by, fault, *allowed) as trial:
            yield trial
        trial.sum_up()
        rows.append(trial.row)
        trial.check()

    return begin
