"""The pool when connections run out, die, or cannot be had."""

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
    """The URL of a server that takes connections and never says a word."""
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


def test_a_request_that_waits_gets_the_connection_that_comes_free(small: None, stranger: Person) -> None:
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


def test_a_connection_that_comes_free_as_ones_time_ends_is_taken(app: Flask, settings: Settings) -> None:
    got = []

    def take() -> None:
        with database.connection_context():
            got.append(database.execute_sql("SELECT 1").fetchone())

    database.configure(settings.pooled, size=1, wait=1)
    try:
        database.connect()
        waiting = threading.Thread(target=take)
        waiting.start()
        # The lock is held past its time, so that it is woken and late at once.
        while not database._pool_available._waiters:  # type: ignore[attr-defined]
            time.sleep(0.01)
        with database._pool_available:
            time.sleep(1.2)
            database.close()
        waiting.join()
    finally:
        database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)

    assert got == [(1,)]


def test_many_requests_share_few_connections(small: None, app: Flask) -> None:
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


def test_a_connection_is_given_back_whatever_the_answer(small: None, seller: Person) -> None:
    for path in ("/api/auth/me", "/api/products/1", "/api/products?userId=x", "/api/nothing", "/readyz"):
        seller.get(path)
    seller.post("/api/products", {"name": "x"})

    assert len(database._in_use) == 0


def test_connections_that_the_server_ended_are_replaced_unseen(
    small: None, settings: Settings, stranger: Person
) -> None:
    stranger.get("/api/products?userId=1")
    assert query(settings, TERMINATE)[0][0] >= 1

    assert [stranger.get("/api/products?userId=1").status_code for _ in range(5)] == [200] * 5


def test_renewed_connections_are_kept_though_the_clock_is_set_back(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.renew()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    servers = []
    for _ in range(2):
        with database.connection_context():
            servers.append(database.execute_sql("SELECT pg_backend_pid()").fetchone())

    assert servers[0] == servers[1]


def kill(settings: Settings) -> None:
    """Let the server end the connection that this thread has taken from the pool."""
    query(settings, TERMINATE)
    # The signal is sent; the backend is given the time that it needs to obey.
    while not closed_by_server(database.connection()):
        time.sleep(0.01)


@pytest.fixture
def dead(small: None, settings: Settings) -> Iterator[None]:
    """A connection that died in the hands of this thread."""
    with database.connection_context():
        kill(settings)
        yield


def test_a_read_on_a_connection_that_died_is_run_again(dead: None) -> None:
    assert database.execute_sql("SELECT 1").fetchall() == [(1,)]


def test_a_write_on_a_connection_that_died_is_not_run_again(dead: None, settings: Settings) -> None:
    with pytest.raises(peewee.OperationalError):
        database.execute_sql("INSERT INTO users (email, password) VALUES ('twice@test.com', 'x')")

    assert query(settings, "SELECT count(*) FROM users") == [(0,)]


def test_a_read_inside_a_transaction_is_not_run_again(small: None, settings: Settings) -> None:
    def read() -> None:
        with database.connection_context(), database.atomic():
            kill(settings)
            database.execute_sql("SELECT 1")

    with pytest.raises(OUTAGES):
        read()

    assert len(database._in_use) == 0


def test_a_server_that_is_down_answers_503_and_probes_tell_it(
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


def test_a_server_that_says_nothing_holds_up_nobody(
    small: None, app: Flask, settings: Settings, silent: str
) -> None:
    # Four at once through a pool of two: were connects made one after another, they would add up.
    database.configure(DatabaseURL.parse(silent), size=2, wait=2)
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(Person(app).get("/api/products/1").status_code))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        # Two waits at the most: one for a place and one for the connection; a hang would be for ever.
        thread.join(timeout=30)

    assert statuses == [503] * 4
    assert not [thread for thread in threads if thread.is_alive()]


def test_a_place_that_a_failed_connect_leaves_goes_to_who_waits_for_it(
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
            # The second comes only when the first has hung up on its client.
            connection, _ = server.accept()
            connection.close()
        for thread in threads:
            # Far less than the second would wait if nobody told it.
            thread.join(timeout=30)

    assert statuses == [503, 503]


def test_readiness_names_the_migrations_that_are_missing(
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
