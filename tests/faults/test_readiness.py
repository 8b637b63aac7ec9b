"""`/readyz` with many probes, with a check that hangs, and with a database ahead of the code."""

import math
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from nexus import create_app, readiness
from nexus.config import Settings
from nexus.database_url import DatabaseURL
from nexus.db import database
from nexus.migrate import History
from tests.events import events
from tests.factories import Person
from tests.sql import query


@pytest.fixture
def probed(app: Flask, settings: Settings) -> Iterator[Flask]:
    """An application that was ready, with a pool that the test may reconfigure."""
    probed = create_app(settings)
    assert Person(probed).get("/readyz").get_json() == {"status": "ready"}
    yield probed
    database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)


def test_many_probes_cost_one_query_per_second(probed: Flask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    caplog.clear()
    began = time.monotonic()
    with ThreadPoolExecutor(8) as crowd:
        statuses = list(crowd.map(lambda _: Person(probed).get("/readyz").status_code, range(400)))
    seconds = time.monotonic() - began

    lines = events(caplog, "nexus.request")
    assert statuses == [200] * len(lines) == [200] * 400
    assert sum(line["queries"] for line in lines) <= 1 + seconds


@pytest.mark.parametrize(("believed", "status"), [(math.inf, 200), (0, 503)])
def test_probes_are_answered_while_another_waits_for_the_database(
    probed: Flask, monkeypatch: pytest.MonkeyPatch, believed: float, status: int
) -> None:
    monkeypatch.setattr(readiness, "FRESH", 0)
    monkeypatch.setattr(readiness, "BELIEVED", believed)
    found: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/nothing"
        database.configure(DatabaseURL.parse(url), size=2, wait=60)
        first = threading.Thread(target=lambda: found.append(Person(probed).get("/readyz").status_code))
        first.start()
        connection, _ = silent.accept()
        statuses = {Person(probed).get("/readyz").status_code for _ in range(20)}
        waited = first.is_alive()
        connection.close()
        first.join()

    assert waited
    assert statuses == {status}
    assert found == [503]


def test_a_probe_neither_waits_for_a_connection_nor_takes_one_from_requests(
    probed: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "FRESH", 0)
    database.configure(settings.pooled, size=1, wait=60)
    statuses = []
    with database.connection_context():
        probe = threading.Thread(target=lambda: statuses.append(Person(probed).get("/readyz").status_code))
        probe.start()
        probe.join(timeout=30)

    assert statuses == [200]
    assert Person(probed).get("/readyz").status_code == 200
    assert database.has_room()


def test_a_database_ahead_of_the_code_is_ready(settings: Settings, scratch: Settings) -> None:
    History.of(scratch).migrate()
    query(scratch, "INSERT INTO migratehistory (name, migrated_at) VALUES ('999_of_the_next_release', now())")
    try:
        answer = Person(create_app(scratch)).get("/readyz")
        database.close_idle()
    finally:
        database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)

    assert answer.get_json() == {"status": "ready"}
