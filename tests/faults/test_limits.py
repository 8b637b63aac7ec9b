"""Timeouts of a request: statements, locks, idle transactions, silent servers and networks."""

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
def _restored(app: Flask, settings: Settings) -> Iterator[None]:
    """Remove the role's timeouts, and the connections that have them."""
    yield
    name = database_of(settings)
    query(settings, f"ALTER ROLE CURRENT_USER IN DATABASE {name} RESET ALL")
    database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)


def database_of(settings: Settings) -> str:
    assert settings.direct
    return settings.direct.parameters["dbname"]


def set_timeouts(settings: Settings, **timeouts: str) -> None:
    """Set timeouts for the role, and give the pool new connections."""
    for name, value in timeouts.items():
        query(settings, f"ALTER ROLE CURRENT_USER IN DATABASE {database_of(settings)} SET {name} = '{value}'")
    database.configure(settings.direct, size=4, wait=5)


def effective_timeouts() -> list[str]:
    with database.connection_context():
        return [database.execute_sql(f"SHOW {name}").fetchone()[0] for name in NAMES]


def test_the_roles_timeouts_apply_and_ours_where_it_has_none(settings: Settings) -> None:
    set_timeouts(settings)
    assert effective_timeouts() == ["15s", "5s", "30s"]

    set_timeouts(settings, statement_timeout="1min", idle_in_transaction_session_timeout="2s")
    assert effective_timeouts() == ["1min", "5s", "2s"]


@pytest.fixture
def bouncer(settings: Settings) -> Iterator[Bouncer]:
    """A pooler in transaction mode."""
    bouncer = Bouncer(settings)
    yield bouncer
    bouncer.stop()


@needed
def test_behind_a_pooler_only_the_roles_timeouts_apply(
    settings: Settings, bouncer: Bouncer, stranger: Person
) -> None:
    set_timeouts(settings, statement_timeout="7s", lock_timeout="6s")
    database.configure(DatabaseURL.parse(bouncer.url()), size=4, wait=5)

    assert stranger.get(READ).status_code == 404
    assert effective_timeouts() == ["7s", "6s", "0"]
    with database.connection_context():
        connection = database.connection()
        assert connection.limit == 10
        with socket.socket(fileno=os.dup(connection.fileno())) as copy:
            assert copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5000
            assert copy.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 5
    database.close_idle()
    assert not [left for left in bouncer.left_behind() if left[1] not in NAMES]


def test_lock_and_statement_timeouts_are_answered_503(settings: Settings, seller: Person) -> None:
    set_timeouts(settings, lock_timeout="100ms")
    with held(settings, "LOCK TABLE products"):
        locked = seller.post("/api/products", {"name": "Course", "price": 1})
        set_timeouts(settings, lock_timeout="0", statement_timeout="100ms")
        slow = seller.get("/api/products?userId=1")

    assert [(answer.status_code, answer.get_json()["code"]) for answer in (locked, slow)] == [
        (503, "database_busy")
    ] * 2
    assert seller.get("/api/products?userId=1").status_code == 200


def test_an_idle_in_transaction_timeout_is_an_outage(settings: Settings) -> None:
    set_timeouts(settings, idle_in_transaction_session_timeout="50ms")

    def idle() -> None:
        with database.connection_context(), database.atomic():
            query(settings, "SELECT pg_sleep(0.3)")
            database.execute_sql("SELECT 1")

    with pytest.raises(OUTAGES):
        idle()


def test_a_frozen_backend_blocks_only_its_own_request_until_a_timeout(
    app: Flask, settings: Settings, stranger: Person
) -> None:
    set_timeouts(settings, statement_timeout="100ms")
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
