"""A standby that does not confirm commits, and a primary that has become read-only."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from nexus.config import Settings
from nexus.database_url import DatabaseURL
from nexus.db import database
from nexus.embedded import Cluster
from nexus.migrate import History
from tests.factories import Person, register
from tests.sql import query

CANCEL = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Cluster]]:
    """Two separate servers."""
    clusters = [Cluster(tmp_path_factory.mktemp(name) / "postgres", durable=False) for name in "ab"]
    yield clusters
    for cluster in clusters:
        cluster.remove()


@pytest.fixture
def primary(app: Flask, settings: Settings, clusters: list[Cluster]) -> Iterator[Settings]:
    """The first server, with an empty schema, to which the application connects."""
    own = settings.model_copy(update={"database_url": clusters[0].url("shop"), "database_pool_url": None})
    History.of(own).migrate()
    query(own, "TRUNCATE users, orders CASCADE")
    database.configure(own.direct, size=4, wait=5)
    yield own
    database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)


def alter_system(settings: Settings, *commands: str) -> None:
    """Change the server's settings, and wait until they apply."""
    for command in commands:
        query(settings, f"ALTER SYSTEM {command}")
    query(settings, "SELECT pg_reload_conf(), pg_sleep(0.2)")


@pytest.fixture
def unconfirming(primary: Settings) -> Iterator[Settings]:
    """The primary, for a test that configures a synchronous standby that does not exist."""
    # Servers of tests have synchronous_commit off, which would not wait for a standby.
    query(primary, "ALTER DATABASE shop SET synchronous_commit = on")
    database.close_idle()
    yield primary
    query(primary, "ALTER DATABASE shop RESET synchronous_commit")


def interrupted(settings: Settings, person: Person, *call: Any, **options: Any) -> Any:
    """Make a call, cancel its wait for the standby, and return the response."""
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(person.post, *call, **options)
        while not answer.done() and query(settings, CANCEL) == [(0,)]:
            pass
        return answer.result(timeout=30)


def test_commits_that_the_standby_did_not_confirm_are_not_reported_as_done(
    app: Flask, unconfirming: Settings
) -> None:
    seller = register(app, "seller@example.com")
    product = seller.product()
    order = ("/api/orders", {"productId": product["id"], "email": "buyer@example.com"})
    key: dict[str, Any] = {"headers": {"Idempotency-Key": "once"}}
    alter_system(unconfirming, "SET synchronous_standby_names = 'nobody'")
    try:
        answers = [
            # A single statement, a transaction of several, and a repeated order with a key.
            interrupted(unconfirming, seller, "/api/products", {"name": "Course", "price": 1}),
            interrupted(unconfirming, seller, "/api/auth/refresh", {"refreshToken": seller.refresh_token}),
            interrupted(unconfirming, seller, *order, **key),
            interrupted(unconfirming, seller, *order, **key),
        ]
        assert seller.get(f"/api/products/{product['id']}").status_code == 200
    finally:
        alter_system(unconfirming, "RESET synchronous_standby_names")

    assert [(answer.status_code, answer.get_json()["code"]) for answer in answers] == [
        (503, "commit_unconfirmed")
    ] * 4
    assert {answer.headers["Retry-After"] for answer in answers} == {"2"}
    assert seller.post(*order, **key).status_code == 201
    assert query(unconfirming, "SELECT count(*) FROM orders") == [(1,)]


def test_a_server_that_becomes_read_only_is_left_for_a_writable_one(
    app: Flask, primary: Settings, clusters: list[Cluster]
) -> None:
    seller = register(app, "seller@example.com")
    places = [DatabaseURL.parse(cluster.url("shop")).parameters for cluster in clusters]
    History.of(primary.model_copy(update={"database_url": clusters[1].url("shop")})).migrate()
    other = primary.model_copy(update={"database_url": clusters[1].url("shop")})
    row = query(primary, "SELECT id, email, password FROM users")[0]
    query(other, "INSERT INTO users (id, email, password) VALUES (%s, %s, %s)", *row)
    session = query(primary, "SELECT id, user_id, user_agent, address FROM sessions")[0]
    query(other, "INSERT INTO sessions (id, user_id, user_agent, address) VALUES (%s, %s, %s, %s)", *session)
    hosts, ports = (",".join(place[part] for place in places) for part in ("host", "port"))
    pair = f"postgresql:///shop?user=postgres&host={hosts}&port={ports}&target_session_attrs=read-write"
    database.configure(DatabaseURL.parse(pair), size=4, wait=5)
    product = {"name": "Course", "price": 1}
    # Two connections: the one in use while the other is refused must not be used again either.
    with ThreadPoolExecutor() as threads, database.connection_context():
        assert threads.submit(seller.post, "/api/products", product).result().status_code == 201
        alter_system(primary, "SET default_transaction_read_only = on")
        refused = threads.submit(seller.post, "/api/products", product).result()
    assert (refused.status_code, refused.get_json()["code"]) == (503, "database_unavailable")

    assert [seller.post("/api/products", product).status_code for _ in range(3)] == [201] * 3
    assert query(other, "SELECT count(*) FROM products") == [(3,)]
    assert query(primary, "SELECT count(*) FROM products") == [(1,)]
