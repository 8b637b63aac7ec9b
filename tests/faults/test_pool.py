"""The pool when connections run out, are lost, or cannot be opened."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import peewee
import pytest
from flask import Flask

from nexus.config import Settings
from nexus.database_url import DatabaseURL
from nexus.db import database
from nexus.db.connection import closed_by_server
from nexus.db.outages import OUTAGES
from nexus.readiness import Readiness
from tests.factories import Person
from tests.sql import TERMINATE, query


@pytest.fixture
def small(app: Flask, settings: Settings) -> Iterator[None]:
    """A pool of two connections that waits for two seconds."""
    database.configure(settings.pooled, size=2, wait=2)
    yield
    database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a server that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"postgresql://nobody@127.0.0.1:{server.getsockname()[1]}/nothing"


def test_an_exhausted_pool_answers_503_and_recovers(small: None, stranger: Person) -> None:
    free, taken = threading.Event(), threading.Barrier(3)

    def hold() -> None:
        with database.connection_context():
            taken.wait()
            free.wait()

    holders = [threading.Thread(target=hold) for _ in range(2)]
    for holder in holders:
        holder.start()
    taken.wait()
    busy = stranger.get("/api/products?userId=1")
    free.set()
    for holder in holders:
        holder.join()

    assert busy.status_code == 503
    assert busy.get_json()["code"] == "pool_exhausted"
    assert busy.headers["Retry-After"] == "1"
    assert stranger.get("/api/products?userId=1").status_code == 200


def test_a_waiting_request_gets_a_returned_connection(small: None, stranger: Person) -> None:
    taken = threading.Barrier(3)

    def hold() -> None:
        with database.connection_context():
            taken.wait()
            time.sleep(0.2)

    holders = [threading.Thread(target=hold) for _ in range(2)]
    for holder in holders:
        holder.start()
    taken.wait()

    assert stranger.get("/api/products?userId=1").status_code == 200
    for holder in holders:
        holder.join()


def test_a_connection_returned_just_as_the_wait_times_out_is_used(app: Flask, settings: Settings) -> None:
    got = []

    def take() -> None:
        with database.connection_context():
            got.append(database.execute_sql("SELECT 1").fetchone())

    database.configure(settings.pooled, size=1, wait=1)
    try:
        database.connect()
        waiting = threading.Thread(target=take)
        waiting.start()
        # We hold the lock past its timeout, so that it is notified and has timed out at the same time.
        while not database._pool_available._waiters:  # type: ignore[attr-defined]
            time.sleep(0.01)
        with database._pool_available:
            time.sleep(1.2)
            database.close()
        waiting.join()
    finally:
        database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)

    assert got == [(1,)]


def test_many_requests_share_few_connections(small: None, app: Flask, settings: Settings) -> None:
    # On a busy machine a request may wait for long: who returns a connection may be first to take it again.
    database.configure(settings.pooled, size=2, wait=60)
    statuses: list[int] = []

    def ask() -> None:
        for _ in range(20):
            statuses.append(Person(app).get("/api/products?userId=1").status_code)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [200] * 160
    assert len(database._in_use) == 0
    assert len(database._connections) <= 2


def test_after_a_silent_server_no_request_gets_a_connection_that_was_idle(small: None, app: Flask) -> None:
    both = threading.Barrier(2)

    def use() -> None:
        with database.connection_context():
            both.wait()

    threads = [threading.Thread(target=use) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(database._connections) == 2

    with database.connection_context():
        database.connection().cut()
        with pytest.raises(peewee.OperationalError):
            database.execute_sql("SELECT 1")

    assert not database._connections


def test_a_connection_is_returned_whatever_the_response(small: None, seller: Person) -> None:
    paths = ("/api/auth/me", "/api/products/1", "/api/products?userId=x", "/api/nothing", "/readyz")
    statuses = [seller.get(path).status_code for path in paths]
    statuses.append(seller.post("/api/products", {"name": "x"}).status_code)

    assert statuses == [200, 404, 400, 404, 200, 400]
    assert len(database._in_use) == 0


def test_connections_closed_by_the_server_are_replaced_transparently(
    small: None, settings: Settings, stranger: Person
) -> None:
    stranger.get("/api/products?userId=1")
    assert query(settings, TERMINATE)[0][0] >= 1

    assert [stranger.get("/api/products?userId=1").status_code for _ in range(5)] == [200] * 5


def test_renewed_connections_are_kept_when_the_clock_is_set_back(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.renew()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    backends = []
    for _ in range(2):
        with database.connection_context():
            backends.append(database.execute_sql("SELECT pg_backend_pid()").fetchone())

    assert backends[0] == backends[1]


def kill(settings: Settings) -> None:
    """Let the server terminate the connection that this thread has taken from the pool."""
    query(settings, TERMINATE)
    # The signal is only sent so far: wait until the backend has ended.
    while not closed_by_server(database.connection()):
        time.sleep(0.01)


@pytest.fixture
def dead(small: None, settings: Settings) -> Iterator[None]:
    """A connection that the server terminated while this thread uses it."""
    with database.connection_context():
        kill(settings)
        yield


def test_a_read_on_a_lost_connection_is_retried(dead: None) -> None:
    assert database.execute_sql("SELECT 1").fetchall() == [(1,)]


def test_a_write_on_a_lost_connection_is_not_retried(dead: None, settings: Settings) -> None:
    with pytest.raises(peewee.OperationalError):
        database.execute_sql("INSERT INTO users (email, password) VALUES ('twice@test.com', 'x')")

    assert query(settings, "SELECT count(*) FROM users") == [(0,)]


def test_a_read_inside_a_transaction_is_not_retried(small: None, settings: Settings) -> None:
    def read() -> None:
        with database.connection_context(), database.atomic():
            kill(settings)
            database.execute_sql("SELECT 1")

    with pytest.raises(OUTAGES):
        read()

    assert len(database._in_use) == 0


def test_an_unreachable_database_is_answered_503_and_fails_readiness(
    small: None, app: Flask, stranger: Person
) -> None:
    database.configure(DatabaseURL.parse("postgresql://nobody@127.0.0.1:1/nothing"), size=2, wait=2)

    answer = stranger.get("/api/products?userId=1", headers={"Accept-Language": "ru"})
    app.extensions["readiness"] = Readiness()
    ready = stranger.get("/readyz")

    assert answer.status_code == 503
    assert answer.get_json()["code"] == "database_unavailable"
    assert "127.0.0.1" not in answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert stranger.get("/healthz").status_code == 200
    assert ready.status_code == 503
    assert (ready.get_json()["code"], ready.get_json()["missing"]) == ("not_ready", ["database"])


def test_an_unresponsive_database_server_blocks_no_request_for_long(
    small: None, app: Flask, settings: Settings, silent: str
) -> None:
    # Four requests with a pool of two: connecting one after another, their waits would add up.
    database.configure(DatabaseURL.parse(silent), size=2, wait=2)
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(Person(app).get("/api/products/1").status_code))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        # At most two waits: for a slot and for the connection. Otherwise it would hang for ever.
        thread.join(timeout=30)

    assert statuses == [503] * 4
    assert not [thread for thread in threads if thread.is_alive()]


def test_the_slot_of_a_failed_connect_goes_to_a_waiting_request(
    small: None, app: Flask, settings: Settings
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"postgresql://nobody@127.0.0.1:{server.getsockname()[1]}/nothing"
        database.configure(DatabaseURL.parse(url), size=1, wait=60)
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(Person(app).get("/api/products/1").status_code))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for _ in threads:
            # The second connects only after the first has failed.
            connection, _ = server.accept()
            connection.close()
        for thread in threads:
            # Far less than the second would wait without a notification.
            thread.join(timeout=30)

    assert statuses == [503, 503]


def test_readiness_lists_pending_migrations(
    app: Flask, root: Path, settings: Settings, scratch: Settings, stranger: Person
) -> None:
    app.extensions["readiness"] = Readiness()
    assert stranger.get("/readyz").get_json() == {"status": "ready"}
    database.configure(scratch.direct, size=1, wait=2)
    app.extensions["readiness"] = Readiness()
    try:
        answer = stranger.get("/readyz")
    finally:
        database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)

    assert answer.status_code == 503
    assert answer.get_json()["missing"] == [path.stem for path in sorted(root.glob("migrations/0*.py"))]
