"""Many clients on few server connections: no call fails, and none leaves state for the next."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from flask import Flask

from nexus.config import Settings
from tests.environment import environment
from tests.factories import Person
from tests.faults.conftest import Server
from tests.pooler.bouncer import Bouncer, needed
from tests.pooler.conftest import Start
from tests.sql import TERMINATE, query

pytestmark = needed

CLIENTS = 32
ROUND = 8


@pytest.mark.parametrize(
    "tests",
    [
        pytest.param(["tests/api/test_orders.py", "tests/api/test_products.py"], id="a part"),
        pytest.param(["tests/api"], id="all", marks=pytest.mark.long),
    ],
)
def test_the_api_tests_pass_behind_a_pooler(
    root: Path, settings: Settings, bouncer: Bouncer, tests: list[str]
) -> None:
    pooler = f"--pooler={bouncer.url()}"
    given = environment(settings, PYTEST_ADDOPTS="-p no:cacheprovider")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", *tests, pooler],
        cwd=root, env=given, capture_output=True, text=True, timeout=1800,
    )  # fmt: skip

    assert run.returncode == 0, run.stdout
    assert bouncer.served() > 500


@pytest.fixture
def server(
    root: Path, app: Flask, settings: Settings, bouncer: Bouncer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """gunicorn with enough threads and pooler connections in each process to serve all clients."""
    monkeypatch.setenv("GUNICORN_CMD_ARGS", f"--threads {CLIENTS}")
    url = bouncer.url(query=f"?pgbouncer=true&connection_limit={CLIENTS}")
    server = Server(root, settings.model_copy(update={"database_pool_url": url}))
    try:
        server.wait()
        yield server
    finally:
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=30) == 0


@pytest.mark.parametrize("requests", [1024, pytest.param(10_240, marks=pytest.mark.long)])
def test_many_clients_are_served_without_errors_and_leave_no_state(
    seller: Person, server: Server, bouncer: Bouncer, settings: Settings, requests: int
) -> None:
    def client(_: int) -> Counter[int]:
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
            return sum((shop(connection, seller) for _ in range(requests // CLIENTS // ROUND)), Counter())

    with ThreadPoolExecutor(CLIENTS) as crowd:
        statuses = sum(crowd.map(client, range(CLIENTS)), Counter[int]())

    rounds = requests // ROUND
    assert statuses == {200: 4 * rounds, 201: 2 * rounds, 204: rounds, 404: rounds}
    assert query(settings, "SELECT status, count(*) FROM orders GROUP BY 1") == [("paid", rounds)]
    # A thread opens a connection when it needs one and none that another has returned is free.
    assert bouncer.clients() > CLIENTS // 2
    assert bouncer.left_behind() == []


def shop(connection: HTTPConnection, seller: Person) -> Counter[int]:
    """Make eight calls of a seller and a buyer, from creating a product to deleting it."""
    statuses: Counter[int] = Counter()

    def call(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {seller.token}", "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        statuses[answer.status] += 1
        text = answer.read()
        return json.loads(text) if text else None

    product = call("POST", "/api/products", {"name": "Course", "price": 1000})["product"]
    place = f"/api/products/{product['id']}"
    call("GET", f"/api/products?userId={seller.id}&limit=5")
    call("PATCH", place, {"price": 2000})
    order = call("POST", "/api/orders", {"productId": product["id"], "email": "buyer@example.com"})["order"]
    call("PATCH", f"/api/orders/{order['id']}", {"status": "paid"})
    call("GET", "/api/orders?limit=5")
    call("DELETE", place)
    call("GET", place)
    return statuses


def test_reads_succeed_after_all_connections_of_the_pooler_are_terminated(
    server: Server, settings: Settings
) -> None:
    path = "/api/products?userId=1"
    with ThreadPoolExecutor(CLIENTS) as crowd:
        assert {status for status, _ in crowd.map(server.get, [path] * 100)} == {200}
        assert query(settings, TERMINATE)[0][0] >= 1
        assert {status for status, _ in crowd.map(server.get, [path] * 100)} == {200}


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("SET lock_timeout = '7s'", "setting"),
        ("PREPARE plan AS SELECT 1", "prepared statement"),
        ("SELECT pg_advisory_lock(7)", "lock"),
        ("LISTEN news", "channel"),
        ("CREATE TEMPORARY TABLE notes (note text)", "temporary schema"),
        ("DECLARE pages CURSOR WITH HOLD FOR SELECT 1", "cursor"),
    ],
)
def test_state_that_a_client_leaves_is_detected(
    start: Start, settings: Settings, statement: str, kind: str
) -> None:
    bouncer = start(settings)
    with closing(psycopg2.connect(bouncer.url(query=""))) as client:
        client.autocommit = True
        client.cursor().execute(statement)

    assert [what for what, *_ in bouncer.left_behind()] == [kind]
