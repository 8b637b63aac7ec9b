"""Token buckets: never more than the rate allows, even concurrently, and no needless waits."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from nexus.config import Settings
from nexus.db import database
from nexus.models.buckets import Account, Bucket
from nexus.rates import Rate
from tests.environment import flask
from tests.locks import held, until_someone_waits
from tests.sql import query

#: So slow that no token is refilled while a test runs.
SLOW = Rate(5, 86400)
ACCOUNT = SLOW.times(5)

EXAMPLES = trials(max_examples=40)
COUNTS = st.integers(1, 20)
#: The seconds that pass between attempts; None is an attempt.
HISTORIES = st.lists(st.one_of(st.none(), st.none(), st.integers(1, 90_000)), max_size=40)


@pytest.fixture(autouse=True)
def connection(app: Flask) -> Iterator[None]:
    """A connection for the test, over empty tables."""
    with database.connection_context():
        yield


def advance(seconds: float) -> None:
    """Make this many seconds pass for every bucket."""
    database.execute_sql("UPDATE buckets SET full_at = full_at - %s", (timedelta(seconds=seconds),))


def at(email: str, place: str | None = None) -> Account:
    return Account(emails=[email], place=place, rate=ACCOUNT)


def in_parallel(calls: Sequence[Callable[[], int | None]]) -> list[int | None]:
    """Run the calls concurrently, on the pool's connections beside the test's own."""

    def run(call: Callable[[], int | None]) -> int | None:
        with database.connection_context():
            return call()

    with ThreadPoolExecutor(3) as crowd:
        return list(crowd.map(run, calls))


@EXAMPLES
@given(count=COUNTS, history=HISTORIES)
def test_never_more_attempts_pass_than_capacity_plus_rate_times_time(
    count: int, history: list[int | None]
) -> None:
    database.execute_sql("DELETE FROM buckets")
    rate, elapsed, passed = Rate(count, 86400), 0.0, 0
    for step in history:
        if step is None:
            passed += Bucket.take("someone", rate, kind="test") is None
        else:
            advance(step)
            elapsed += step
        # The extra hour covers the time that the test itself takes.
        assert passed <= count + count * (elapsed + 3600) / 86400


@EXAMPLES
@given(rate=st.builds(Rate, COUNTS, st.integers(600, 86400)), idle=st.integers(0, 90_000))
def test_an_attempt_passes_after_the_returned_wait_and_not_before(rate: Rate, idle: int) -> None:
    database.execute_sql("DELETE FROM buckets")
    Bucket.take("someone", rate, kind="test")
    advance(idle)
    while (wait := Bucket.take("someone", rate, kind="test")) is None:
        pass

    assert 1 <= wait <= rate.spacing.total_seconds() + 1
    advance(wait - 20)
    assert Bucket.take("someone", rate, kind="test") is not None
    advance(20)
    assert Bucket.take("someone", rate, kind="test") is None


def test_the_wait_does_not_depend_on_intervalstyle() -> None:
    with database.connection_context():
        database.execute_sql("SET intervalstyle = 'iso_8601'")
        try:
            waits = [Bucket.take("someone", Rate(1, 3600), kind="test") for _ in range(2)]
        finally:
            database.execute_sql("RESET intervalstyle")

    assert waits == [None, 3600]


def test_concurrent_attempts_pass_only_while_there_are_tokens(settings: Settings) -> None:
    waits = in_parallel([partial(Bucket.take, "someone", SLOW, kind="test")] * 60)

    assert waits.count(None) == SLOW.count
    assert query(settings, "SELECT count(*) FROM buckets") == [(1,)]


def test_concurrent_attempts_from_many_places_share_the_accounts_limit(settings: Settings) -> None:
    calls = [
        partial(Bucket.take, place, SLOW, kind="test", account=at("ann@example.com", place))
        for place in [f"198.51.100.{number}" for number in range(40)] * 2
    ]
    waits = in_parallel(calls)

    assert waits.count(None) == ACCOUNT.count


def test_concurrent_attempts_do_not_deadlock(settings: Settings) -> None:
    emails = [f"{name}@example.com" for name in "abcdefgh"]
    plenty = Rate(100_000, 1)
    calls = [
        partial(
            Bucket.take,
            f"198.51.100.{turn % 3}",
            plenty,
            kind="test",
            account=Account(emails=emails[:: 1 - 2 * (turn % 2)], place=None, rate=plenty),
        )
        for turn in range(400)
    ]

    assert in_parallel(calls) == [None] * 400


def test_buckets_of_an_account_are_locked_in_key_order(settings: Settings) -> None:
    emails = [f"{name}@example.com" for name in "abcdefgh"]
    account = Account(emails=emails, place=None, rate=ACCOUNT)
    take = partial(Bucket.take, "someone", SLOW, kind="test", account=account)
    Bucket.take("someone", SLOW, kind="test")
    ((own,),) = query(settings, "SELECT key FROM buckets")
    take()
    keys = [key for (key,) in query(settings, "SELECT key FROM buckets WHERE key <> %s ORDER BY key", own)]

    with ThreadPoolExecutor(1) as other:
        with held(settings, f"SELECT FROM buckets WHERE key = '{keys[3]}' FOR UPDATE"):
            waiting = other.submit(in_parallel, [take])
            until_someone_waits(settings)
            free = query(settings, "SELECT key FROM buckets ORDER BY key FOR UPDATE SKIP LOCKED")
        assert waiting.result() == [None]

    assert [key for (key,) in free] == keys[4:]


def test_refused_attempts_from_one_place_cost_the_account_nothing(settings: Settings) -> None:
    tries = [
        Bucket.take("198.51.100.1", SLOW, kind="test", account=at("ann@example.com")) for _ in range(100)
    ]
    others = [
        Bucket.take(f"203.0.113.{n}", SLOW, kind="test", account=at("ann@example.com")) for n in range(100)
    ]

    assert tries.count(None) == SLOW.count
    assert others.count(None) == ACCOUNT.count - SLOW.count


def test_all_spellings_of_an_address_share_the_accounts_limit() -> None:
    for number in range(ACCOUNT.count):
        emails = ["ann@bücher.example", "Ann@xn--bcher-kva.example"][:: 1 - 2 * (number % 2)]
        both = Account(emails=emails, place=None, rate=ACCOUNT)
        assert Bucket.take(f"198.51.100.{number}", SLOW, kind="test", account=both) is None

    for email in ("ANN@BÜCHER.example", "ann@xn--BCHER-kva.example"):
        assert Bucket.take("203.0.113.1", SLOW, kind="test", account=at(email)) is not None


def test_another_rate_or_kind_starts_with_a_full_bucket() -> None:
    once = Rate(1, 86400)
    assert Bucket.take("someone", once, kind="test") is None
    assert Bucket.take("someone", once, kind="test") is not None

    assert Bucket.take("someone", Rate(1, 3600), kind="test") is None
    assert Bucket.take("someone", once, kind="other") is None


def test_a_sweep_deletes_full_buckets(root: Path, settings: Settings) -> None:
    for number in range(3):
        Bucket.take(f"someone {number}", Rate(1, 3600), kind="test")
    advance(3600)
    Bucket.take("someone else", SLOW, kind="test")

    done = flask(root, settings, "db", "sweep")

    assert "buckets: 3 deleted" in done.stdout.splitlines()
    assert query(settings, "SELECT count(*) FROM buckets") == [(1,)]
    assert Bucket.take("someone 0", Rate(1, 3600), kind="test") is None


def test_a_sweep_skips_locked_buckets(settings: Settings) -> None:
    for number in range(3):
        Bucket.take(f"someone {number}", Rate(1, 3600), kind="test")
    advance(3600)

    with held(settings, "SELECT FROM buckets ORDER BY key LIMIT 1 FOR UPDATE"):
        assert Bucket.sweep(batch=10) == 2

    assert query(settings, "SELECT count(*) FROM buckets") == [(1,)]
