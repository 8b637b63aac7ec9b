"""Transactions aborted by conflicts are retried as a whole; other errors of the server are answered 503."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from flask import Flask

from nexus.config import Settings
from nexus.db import database
from nexus.db.connection import connect
from nexus.db.retrying import only_reads
from tests.factories import Person
from tests.locks import until_someone_waits
from tests.sql import query

#: Makes the first inserts into a table fail with an SQLSTATE.
FAILING = """
CREATE SEQUENCE failures;
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('failures') <= {times} THEN
        RAISE EXCEPTION USING ERRCODE = '{state}', MESSAGE = 'of the test';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fail BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION fail()
"""
Fail = Callable[..., None]


@pytest.fixture
def fail(app: Flask, settings: Settings) -> Iterator[Fail]:
    """Let the first `times` inserts into a table fail with an SQLSTATE."""

    def begin(table: str, *, state: str, times: int) -> None:
        query(settings, FAILING.format(table=table, state=state, times=times))

    yield begin
    query(settings, "DROP FUNCTION fail CASCADE")
    query(settings, "DROP SEQUENCE failures")


def tries(settings: Settings) -> int:
    """Return how often the failing insert was tried."""
    return int(query(settings, "SELECT last_value FROM failures")[0][0])


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_a_write_is_tried_at_most_three_times(
    fail: Fail, seller: Person, settings: Settings, state: str
) -> None:
    fail("products", state=state, times=2)
    assert seller.post("/api/products", {"name": "Course", "price": 1}).status_code == 201
    assert tries(settings) == 3

    query(settings, "ALTER SEQUENCE failures RESTART")
    query(settings, "ALTER SEQUENCE failures MINVALUE -9 RESTART -9")
    answer = seller.post("/api/products", {"name": "Course", "price": 1})
    assert (answer.status_code, answer.get_json()["code"]) == (503, "database_busy")
    assert answer.headers["Retry-After"] == "1"
    assert tries(settings) == -7
    assert query(settings, "SELECT count(*) FROM products") == [(1,)]


def test_a_call_with_several_statements_is_retried_as_a_whole(
    fail: Fail, seller: Person, settings: Settings
) -> None:
    fail("refresh_tokens", state="40001", times=2)

    answer = seller.post("/api/auth/refresh", {"refreshToken": seller.refresh_token})

    assert answer.status_code == 200
    assert tries(settings) == 3
    assert query(settings, "SELECT count(*), count(spent_at) FROM refresh_tokens") == [(2, 1)]


def test_a_retried_order_with_a_key_is_created_once(fail: Fail, seller: Person, settings: Settings) -> None:
    product = seller.product()
    body = {"productId": product["id"], "email": "buyer@example.com"}
    fail("idempotency_keys", state="40P01", times=2)

    answers = [seller.post("/api/orders", body, headers={"Idempotency-Key": "once"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert len({answer.get_json()["order"]["id"] for answer in answers}) == 1
    assert query(settings, "SELECT count(*) FROM orders") == [(1,)]


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("57014", "database_busy"),
        ("55P03", "database_busy"),
        ("53100", "database_unavailable"),
        ("53300", "database_unavailable"),
        ("25006", "database_unavailable"),
        ("25P03", "database_unavailable"),
        ("57P01", "database_unavailable"),
        ("57P03", "database_unavailable"),
        ("58030", "database_unavailable"),
    ],
)
def test_other_errors_of_the_server_are_answered_503(
    fail: Fail, seller: Person, settings: Settings, state: str, code: str
) -> None:
    fail("products", state=state, times=9)

    answer = seller.post("/api/products", {"name": "Course", "price": 1})

    assert (answer.status_code, answer.get_json()["code"]) == (503, code)
    assert int(answer.headers["Retry-After"]) > 0
    assert tries(settings) == 1


def test_after_a_real_deadlock_both_transactions_succeed(seller: Person, settings: Settings) -> None:
    query(settings, "INSERT INTO resets (user_id, hash, expires_at) VALUES (%s, 'x', now())", seller.id)
    change = {"email": "new@example.com", "currentPassword": "correct horse battery"}
    with closing(connect(settings.direct, wait=5)) as other, ThreadPoolExecutor() as threads:
        other.autocommit = False
        # The session that first detects the deadlock is aborted: let that be the request's.
        other.cursor().execute("SET deadlock_timeout = '60s'; LOCK TABLE resets")
        answer = threads.submit(seller.patch, "/api/auth/me", change)
        # The request has updated the account and waits for the tokens.
        until_someone_waits(settings)
        other.cursor().execute("UPDATE users SET role = 'admin' WHERE id = %s", (seller.id,))
        other.commit()
        assert answer.result(timeout=60).status_code == 200

    assert query(settings, "SELECT email, role FROM users") == [("new@example.com", "admin")]
    assert query(settings, "SELECT count(*) FROM resets") == [(0,)]


def test_two_deadlocked_calls_both_succeed(app: Flask, settings: Settings) -> None:
    query(settings, "INSERT INTO users (email, password) VALUES ('a@test.com', 'x'), ('b@test.com', 'x')")
    met = threading.Barrier(2)
    runs: list[str] = []

    @database.rerun
    def write(first: str, then: str) -> None:
        runs.append(first)
        with database.atomic():
            database.execute_sql("UPDATE users SET role = 'admin' WHERE email = %s", (first,))
            if runs.count(first) == 1:
                met.wait(timeout=30)
            database.execute_sql("UPDATE users SET password = password || %s WHERE email = %s", ("y", then))

    def run(first: str, then: str) -> None:
        with database.connection_context():
            write(first, then)

    with ThreadPoolExecutor() as threads:
        for done in [
            threads.submit(run, *pair)
            for pair in (("a@test.com", "b@test.com"), ("b@test.com", "a@test.com"))
        ]:
            done.result(timeout=60)

    # At least one was retried; if it was quick, it may have met the other again.
    assert len(runs) > 2
    assert query(settings, "SELECT role, password FROM users") == [("admin", "xy"), ("admin", "xy")]


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT "t1"."id", "t1"."updated_at" FROM "users" AS "t1"',
        "\n WITH q AS (SELECT 1) SELECT * FROM q",
    ],
)
def test_reads_are_recognised_as_repeatable(sql: str) -> None:
    assert only_reads(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM users FOR UPDATE SKIP LOCKED",
        "SELECT 1 FROM users FOR KEY SHARE",
        "SELECT nextval('s')",
        "SELECT set_config('a', 'b', true)",
        "SELECT pg_advisory_xact_lock(1)",
        "WITH gone AS (DELETE FROM users RETURNING id) SELECT * FROM gone",
        "SELECT 1 INTO copy",
        "INSERT INTO users SELECT 1",
        "",
    ],
)
def test_statements_that_may_write_or_lock_are_not(sql: str) -> None:
    assert not only_reads(sql)
