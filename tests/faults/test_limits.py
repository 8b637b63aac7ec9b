"""What a request may take: statements, locks, forgotten transactions, silent servers and silent networks."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from nexus.config import Settings
from nexus.database_url import DatabaseURL
from nexus.db import database
from nexus.db.outages import OUTAGES
from tests.factories import Person
from tests.locks import held
from tests.pooler.bouncer import Bouncer, needed
from tests.sql import query

NAMES = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
READ = "/api/products/1"


@pytest.fixture(autouse=True)
def _as_before(app: Flask, settings: Settings) -> Iterator[None]:
    """Forget the role's limits and the connections that have them."""
    yield
    name = database_of(settings)
    query(settings, f"ALTER ROLE CURRENT_USER IN DATABASE {name} RESET ALL")
    database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)


def database_of(settings: Settings) -> str:
    assert settings.direct
    return settings.direct.parameters["dbname"]


def limit(settings: Settings, **limits: str) -> None:
    """Give the role limits, and the pool new connections."""
    for name, value in limits.items():
        query(settings, f"ALTER ROLE CURRENT_USER IN DATABASE {database_of(settings)} SET {name} = '{value}'")
    database.configure(settings.direct, size=4, wait=5)


def in_force() -> list[str]:
    with database.connection_context():
        return [database.execute_sql(f"SHOW {name}").fetchone()[0] for name in NAMES]


def test_the_roles_limits_hold_and_ours_where_it_has_none(settings: Settings) -> None:
    limit(settings)
    assert in_force() == ["15s", "5s", "30s"]

    limit(settings, statement_timeout="1min", idle_in_transaction_session_timeout="2s")
    assert in_force() == ["1min", "5s", "2s"]


@pytest.fixture
def bouncer(settings: Settings) -> Iterator[Bouncer]:
    """A pooler in transaction mode."""
    bouncer = Bouncer(settings)
    yield bouncer
    bouncer.stop()


@needed
def test_through_a_pooler_the_roles_limits_hold_and_nothing_is_set(
    settings: Settings, bouncer: Bouncer, stranger: Person
) -> None:
    limit(settings, statement_timeout="7s", lock_timeout="6s")
    database.configure(DatabaseURL.parse(bouncer.url()), size=4, wait=5)

    assert stranger.get(READ).status_code == 404
    assert in_force() == ["7s", "6s", "0"]
    with database.connection_context():
        connection = database.connection()
        assert connection.limit == 10
        with socket.socket(fileno=os.dup(connection.fileno())) as copy:
            assert copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5000
            assert copy.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 5
    database.close_idle()
    assert not [left for left in bouncer.left_behind() if left[1] not in NAMES]


def test_a_lock_and_a_long_statement_are_503_in_time(settings: Settings, seller: Person) -> None:
    limit(settings, lock_timeout="100ms")
    with held(settings, "LOCK TABLE products"):
        locked = seller.post("/api/products", {"name": "Course", "price": 1})
        limit(settings, lock_timeout="0", statement_timeout="100ms")
        slow = seller.get("/api/products?userId=1")

    assert [(answer.status_code, answer.get_json()["code"]) for answer in (locked, slow)] == [
        (503, "database_busy")
    ] * 2
    assert seller.get("/api/products?userId=1").status_code == 200


def test_a_transaction_that_idled_too_long_is_an_outage(settings: Settings) -> None:
    limit(settings, idle_in_transaction_session_timeout="50ms")

    def idle() -> None:
        with database.connection_context(), database.atomic():
            query(settings, "SELECT pg_sleep(0.3)")
            database.execute_sql("SELECT 1")

    with pytest.raises(OUTAGES):
        idle()


def test_a_frozen_backend_stalls_its_own_request_alone_and_not_for_ever(
    app: Flask, settings: Settings, stranger: Person
) -> None:
    limit(settings, statement_timeout="100ms")
    with database.connection_context():
        process = database.connection().info.backend_pid
    try:
        os.kill(process, signal.SIGSTOP)
    except PermissionError:
        pytest.skip("the server of the run is another user's")
    try:
        with ThreadPoolExecutor() as threads:
            stalled = threads.submit(Person(app).get, READ)
            while not database._in_use:
                time.sleep(0.01)
            others = [stranger.get(READ).status_code for _ in range(3)]
            assert not stalled.done()
            assert stalled.result(timeout=30).status_code == 503
    finally:
        os.kill(process, signal.SIGCONT)

    assert others == [404] * 3
    assert stranger.get(READ).status_code == 404
    assert len(database._in_use) == 0
