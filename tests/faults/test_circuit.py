"""The circuit breaker: during an outage one request tries and the others fail fast, until it succeeds."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask

from nexus.config import Settings
from nexus.database_url import DatabaseURL
from nexus.db import database, session
from nexus.readiness import Readiness
from tests.events import events
from tests.factories import Person

READ = "/api/products/1"


@pytest.fixture(autouse=True)
def _restored(app: Flask, settings: Settings) -> Iterator[None]:
    """Restore the connection settings, so that no test affects the next."""
    yield
    database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)


def connect_pool_to(port: int, *, wait: int = 5) -> None:
    """Let the pool connect to a local port."""
    database.configure(DatabaseURL.parse(f"postgresql://nobody@127.0.0.1:{port}/no"), size=4, wait=wait)


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [event["event"] for event in events(caplog) if "database" in event["event"]]


def test_one_request_tries_and_the_others_fail_fast(
    app: Flask, settings: Settings, stranger: Person, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as threads:
        connect_pool_to(server.getsockname()[1], wait=60)
        # Before the first failure is known, several requests try.
        first = [threads.submit(Person(app).get, READ) for _ in range(2)]
        for connection, _ in [server.accept(), server.accept()]:
            connection.close()
        assert [answer.result().status_code for answer in first] == [503, 503]

        trying = threads.submit(Person(app).get, READ)
        connection, _ = server.accept()
        # The trying request could wait for a minute.
        refused = [stranger.get(READ) for _ in range(5)]
        assert not trying.done()
        with session() as direct:
            assert direct.execute_sql("SELECT 1").fetchall() == [(1,)]
        connection.close()
        assert trying.result().status_code == 503

    assert [answer.status_code for answer in refused] == [503] * 5
    assert {answer.get_json()["code"] for answer in refused} == {"database_unavailable"}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
    assert logged(caplog) == ["database unreachable"]


def test_the_first_request_after_the_outage_succeeds(
    app: Flask, settings: Settings, stranger: Person, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert settings.pooled
    there = settings.pooled.parameters
    if not there.get("host", "").startswith("/"):
        pytest.skip("the server of the run listens on no socket that could be hidden")
    here = DatabaseURL({**there, "host": str(tmp_path)})
    database.configure(here, size=4, wait=5)
    assert [stranger.get(READ).status_code for _ in range(3)] == [503] * 3
    app.extensions["readiness"] = Readiness()
    assert stranger.get("/readyz").get_json()["missing"] == ["database"]

    name = f".s.PGSQL.{there.get('port', 5432)}"
    (tmp_path / name).symlink_to(Path(there["host"]) / name)

    assert [stranger.get(READ).status_code for _ in range(3)] == [404] * 3
    app.extensions["readiness"] = Readiness()
    assert stranger.get("/readyz").status_code == 200
    assert logged(caplog) == ["database unreachable", "database reachable again"]


def test_a_full_pool_does_not_open_the_circuit(app: Flask, settings: Settings, stranger: Person) -> None:
    database.configure(settings.pooled, size=1, wait=2)
    with ThreadPoolExecutor() as threads, database.connection_context():
        busy = threads.submit(stranger.get, READ).result()
        assert busy.get_json()["code"] == "pool_exhausted"

    assert stranger.get(READ).status_code == 404
