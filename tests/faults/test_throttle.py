"""The throttle with processes that share only the database."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask

from nexus.config import Settings
from tests.factories import PASSWORD, Person
from tests.faults.conftest import Server
from tests.sql import query


@pytest.fixture
def workers(app: Flask, root: Path, settings: Settings) -> Iterator[list[Server]]:
    """Two gunicorn workers on separate ports, so that both are sure to get requests."""
    assert app
    changes = {
        "WEB_CONCURRENCY": "1",
        "TRUSTED_PROXIES": "127.0.0.1",
        "RATE_LIMIT_ENABLED": "true",
        # So slow that no attempt is regained while the test runs.
        "RATE_LIMIT_SIGN_IN": "7/day",
    }
    workers = [Server(root, settings, **changes) for _ in range(2)]
    try:
        for worker in workers:
            worker.wait()
        yield workers
    finally:
        for worker in workers:
            worker.stop()


def attack(workers: list[Server], addresses: list[str]) -> Counter[int]:
    """Guess a password from each of these addresses concurrently, on both workers; count the statuses."""

    def guess(number: int) -> int:
        body = {"email": "seller@example.com", "password": f"guess {number}"}
        headers = {"X-Forwarded-For": f"203.0.113.{number % 250}, {addresses[number]}"}
        return workers[number % 2].post("/api/auth/login", body, **headers)[0]

    with ThreadPoolExecutor(8) as crowd:
        return Counter(crowd.map(guess, range(len(addresses))))


def sign_in(worker: Server, address: str) -> int:
    body = {"email": "seller@example.com", "password": PASSWORD}
    return worker.post("/api/auth/login", body, **{"X-Forwarded-For": address})[0]


def test_two_workers_allow_no_more_attempts_than_one_and_let_the_owner_in(
    workers: list[Server], seller: Person, settings: Settings
) -> None:
    # Whatever the attacker puts in front of their own address.
    assert attack(workers, ["198.51.100.7"] * 100) == {401: 7, 429: 93}
    assert [sign_in(worker, "198.51.100.7") for worker in workers] == [429, 429]
    assert [sign_in(worker, "192.0.2.1") for worker in workers] == [200, 200]

    # From fifty addresses the account's bucket is the limit: five times seven, less the attempts of
    # the first attack and one of the owner, whose address was already known the second time.
    many = [f"198.51.100.{100 + number % 50}" for number in range(150)]
    assert attack(workers, many) == {401: 27, 429: 123}
    assert [sign_in(worker, "192.0.2.1") for worker in workers] == [200, 200]
    assert query(settings, "SELECT count(*) FROM buckets") == [(1 + 1 + 1 + 50,)]
