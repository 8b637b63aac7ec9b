"""`/metrics`: what is counted, who may read it, and that every metric is documented."""

import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask

from nexus import create_app, metrics
from nexus.config import Settings
from nexus.database_url import DatabaseURL
from nexus.db import database
from nexus.rates import Rate
from tests.events import events
from tests.factories import PASSWORD, Person
from tests.samples import Samples

TOKEN = "Qm4-zL8tRx2_Wc9Kd6Vb3Np7Hs5Jf1Yg0"


def read(app: Flask) -> Samples:
    answer = Person(app).get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    return Samples(answer.text)


def read_when_in_use(app: Flask, connections: int) -> Samples:
    """Read the metrics until the pool reports this number of connections in use."""
    deadline = time.monotonic() + 20
    while (samples := read(app)).of("nexus_pool_in_use") != connections:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return samples


def requests(samples: Samples, method: str, route: str, status: int) -> float:
    return samples.of("nexus_request_seconds_count", method=method, route=route, status=str(status))


def test_requests_are_counted_by_route_and_status_without_client_input(
    app: Flask, seller: Person, stranger: Person, caplog: pytest.LogCaptureFixture
) -> None:
    product = seller.product()["id"]
    caplog.set_level("INFO")
    caplog.clear()
    before = read(app)

    for _ in range(3):
        stranger.get(f"/api/products/{product}")
    stranger.get("/api/products/999999")
    for method in ("BREW", "FROB"):
        stranger.request(method, "/secret@example.com/1")
    after = read(app)

    def more(method: str, route: str, status: int) -> float:
        return requests(after, method, route, status) - requests(before, method, route, status)

    route = "/api/products/<id:product_id>"
    assert (more("GET", route, 200), more("GET", route, 404)) == (3, 1)
    assert more("other", "(no route)", 404) == 2
    assert "secret" not in str(after.keys())
    # The page does not include the queries of its own request.
    logged = sum(line["queries"] for line in events(caplog, "nexus.request")[:-1])
    assert after.of("nexus_queries_total") - before.of("nexus_queries_total") == logged >= 4
    assert after.of("nexus_query_seconds_total") > before.of("nexus_query_seconds_total")


def test_sign_ins_orders_and_throttled_requests_are_counted_once(
    settings: Settings, app: Flask, seller: Person, stranger: Person
) -> None:
    product = seller.product()["id"]
    before = read(app)

    stranger.post("/api/auth/login", {"email": "seller@example.com", "password": PASSWORD})
    for _ in range(2):
        stranger.post("/api/auth/login", {"email": "seller@example.com", "password": "not this one"})
    order = {"productId": product, "email": "buyer@example.com"}
    key = {"Idempotency-Key": "k" * 32}
    first, again = (stranger.post("/api/orders", order, headers=key).get_json() for _ in range(2))
    assert again == first
    for _ in range(2):
        seller.patch(f"/api/orders/{first['order']['id']}", {"status": "processing"})
    held = {"rate_limit_enabled": True, "rate_limit_orders": Rate.parse("1/day")}
    strict = Person(create_app(settings.model_copy(update=held)))
    assert [strict.post("/api/orders", order).status_code for _ in range(2)] == [201, 429]
    after = read(app)

    def more(name: str, **labels: str) -> float:
        return after.of(name, **labels) - before.of(name, **labels)

    assert more("nexus_sign_ins_total", outcome="signed_in") == 1
    assert more("nexus_sign_ins_total", outcome="refused") == 2
    assert more("nexus_order_steps_total", status="created") == 2
    assert more("nexus_order_steps_total", status="processing") == 1
    assert more("nexus_throttled_total", rate="order") == 1


def test_threads_that_start_together_use_the_same_counters() -> None:
    program = """
import threading
from nexus import metrics

crowd = threading.Barrier(4)

def answer():
    crowd.wait()
    metrics.answered("GET", "/", 200, 0)
    metrics.queried(1, 0)

threads = [threading.Thread(target=answer) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(metrics.page(at_head=None).decode())
"""
    page = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    samples = Samples(page)
    assert (requests(samples, "GET", "/", 200), samples.of("nexus_queries_total")) == (4, 4)


def test_the_pool_reports_connections_in_use_waits_and_refusals(settings: Settings, app: Flask) -> None:
    database.configure(settings.pooled, size=1, wait=2)
    # Read first, while a connection is available for it.
    before = read(app)
    try:
        with ThreadPoolExecutor(1) as another:
            another.submit(database.connect).result()
            held = read_when_in_use(app, 1)
            Person(app).get("/api/products/1")
            another.submit(database.close).result()
        after = read_when_in_use(app, 0)
    finally:
        database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)

    assert held.of("nexus_pool_size") == 1
    for name in ("nexus_pool_waits_total", "nexus_pool_refusals_total"):
        assert after.of(name) - before.of(name) == 1


@pytest.mark.usefixtures("app")
def test_the_metric_of_migrations_is_1_at_head_0_behind_and_absent_if_unknown(
    settings: Settings, scratch: Settings
) -> None:
    away = DatabaseURL.parse("postgresql://nobody@127.0.0.1:1/nothing")
    values = []
    try:
        for url in (settings.direct, scratch.direct, away):
            app = create_app(settings)
            database.configure(url, size=2, wait=2)
            values.append(read(app).get(("nexus_migrations_at_head", frozenset())))
    finally:
        database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)

    assert values == [1, 0, None]


@pytest.mark.parametrize(
    ("environment", "token", "shown", "status"),
    [
        ("development", None, None, 200),
        ("production", None, None, 404),
        ("production", None, f"Bearer {TOKEN}", 404),
        ("production", TOKEN, f"Bearer {TOKEN}", 200),
        ("production", TOKEN, f"Bearer {TOKEN[:-1]}", 401),
        ("production", TOKEN, TOKEN, 401),
        ("production", TOKEN, "Bearer \xff", 401),
        ("production", TOKEN, None, 401),
        ("development", TOKEN, None, 401),
    ],
)
@pytest.mark.usefixtures("app")
def test_metrics_require_the_token(
    settings: Settings, environment: str, token: str | None, shown: str | None, status: int
) -> None:
    guarded = create_app(settings.model_copy(update={"app_env": environment, "metrics_key": token}))
    answer = Person(guarded).get("/metrics", headers={"Authorization": shown} if shown else {})

    assert answer.status_code == status
    assert ("nexus_" in answer.text) == (status == 200)


def test_exactly_the_existing_metrics_are_documented(root: Path, app: Flask, seller: Person) -> None:
    metrics.counted().throttled.labels(rate="sign_in").inc()
    metrics.counted().sign_ins.labels(outcome="refused").inc()
    seller.order(seller.product()["id"])
    section = (root / "docs/operations.md").read_text().partition("## Metrics")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(nexus_\w+)` \| (\w+) \| (.*?) \|", section, re.MULTILINE)
    documented = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}

    assert read(app).families == documented
