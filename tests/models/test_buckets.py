"""Token buckets: never more than the rate allows, whoever comes at once, and no wait without need."""

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

#: So slow that nothing comes back while a test runs.
SLOW = Rate(5, 86400)
ACCOUNT = SLOW.times(5)

LAW = trials(max_examples=40)
COUNTS = st.integers(1, 20)
#: Some seconds that pass, or None for a try.
HISTORIES = st.lists(st.one_of(st.none(), st.none(), st.integers(1, 90_000)), max_size=40)


@pytest.fixture(autouse=True)
def connection(app: Flask) -> Iterator[None]:
    """A connection for the test, over empty tables."""
    with database.connection_context():
        yield


def pass_on(seconds: float) -> None:
    """Let so many seconds pass for every bucket."""
    database.execute_sql("UPDATE buckets SET full_at = full_at - %s", (timedelta(seconds=seconds),))


def at(email: str, place: str | None = None) -> Account:
    return Account(emails=[email], place=place, rate=ACCOUNT)


def in_parallel(calls: Sequence[Callable[[], int | None]]) -> list[int | None]:
    """Make calls on the connections that the pool has beside the test's own."""

    def run(call: Callable[[], int | None]) -> int | None:
        with database.connection_context():
            return call()

    with ThreadPoolExecutor(3) as crowd:
        return list(crowd.map(run, calls))


@LAW
@given(count=COUNTS, history=HISTORIES)
def test_never_more_than_capacity_and_rate_times_time(count: int, history: list[int | None]) -> None:
    database.execute_sql("DELETE FROM buckets")
    rate, elapsed, passed = Rate(count, 86400), 0.0, 0
    for step in history:
        if step is None:
            passed += Bucket.take("someone", rate, kind="test") is None
        else:
            pass_on(step)
            elapsed += step
        # The hour is more than the test itself takes.
        assert passed <= count + count * (elapsed + 3600) / 86400


@LAW
@given(rate=st.builds(Rate, COUNTS, st.integers(600, 86400)), idle=st.integers(0, 90_000))
def test_after_the_wait_that_is_told_a_try_passes_and_not_before(rate: Rate, idle: int) -> None:
    database.execute_sql("DELETE FROM buckets")
    Bucket.take("someone", rate, kind="test")
    pass_on(idle)
    while (wait := Bucket.take("someone", rate, kind="test")) is None:
        pass

    assert 1 <= wait <= rate.spacing.total_seconds() + 1
    pass_on(wait - 20)
    assert Bucket.take("someone", rate, kind="test") is not None
    pass_on(20)
    assert Bucket.take("someone", rate, kind="test") is None


def test_a_wait_is_told_however_the_role_has_intervals_written() -> None:
    with database.connection_context():
        database.execute_sql("SET intervalstyle = 'iso_8601'")
        try:
            waits = [Bucket.take("someone", Rate(1, 3600), kind="test") for _ in range(2)]
        finally:
            database.execute_sql("RESET intervalstyle")

    assert waits == [None, 3600]


def test_of_many_at_once_as_many_pass_as_there_are_tokens(settings: Settings) -> None:
    waits = in_parallel([partial(Bucket.take, "someone", SLOW, kind="test")] * 60)

    assert waits.count(None) == SLOW.count
    assert query(settings, "SELECT count(*) FROM buckets") == [(1,)]


def test_an_account_takes_no_more_from_many_places_at_once(settings: Settings) -> None:
    calls = [
        partial(Bucket.take, place, SLOW, kind="test", account=at("ann@example.com", place))
        for place in [f"198.51.100.{number}" for number in range(40)] * 2
    ]
    waits = in_parallel(calls)

    assert waits.count(None) == ACCOUNT.count


def test_nobody_waits_in_a_circle(settings: Settings) -> None:
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


def test_buckets_of_an_account_are_locked_by_their_keys(settings: Settings) -> None:
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


def test_what_one_place_is_refused_costs_the_account_nothing(settings: Settings) -> None:
    tries = [
        Bucket.take("198.51.100.1", SLOW, kind="test", account=at("ann@example.com")) for _ in range(100)
    ]
    others = [
        Bucket.take(f"203.0.113.{n}", SLOW, kind="test", account=at("ann@example.com")) for n in range(100)
    ]

    assert tries.count(None) == SLOW.count
    assert others.count(None) == ACCOUNT.count - SLOW.count


def test_letters_case_and_spellings_make_no_second_account() -> None:
    for number in range(ACCOUNT.count):
        emails = ["ann@bücher.example", "Ann@xn--bcher-kva.example"][:: 1 - 2 * (number % 2)]
        both = Account(emails=emails, place=None, rate=ACCOUNT)
        assert Bucket.take(f"198.51.100.{number}", SLOW, kind="test", account=both) is None

    for email in ("ANN@BÜCHER.example", "ann@xn--BCHER-kva.example"):
        assert Bucket.take("203.0.113.1", SLOW, kind="test", account=at(email)) is not None


def test_another_rate_or_kind_begins_with_a_full_bucket() -> None:
    once = Rate(1, 86400)
    assert Bucket.take("someone", once, kind="test") is None
    assert Bucket.take("someone", once, kind="test") is not None

    assert Bucket.take("someone", Rate(1, 3600), kind="test") is None
    assert Bucket.take("someone", once, kind="other") is None


def test_a_sweep_deletes_the_buckets_that_are_full(root: Path, settings: Settings) -> None:
    for number in range(3):
        Bucket.take(f"someone {number}", Rate(1, 3600), kind="test")
    pass_on(3600)
    Bucket.take("someone else", SLOW, kind="test")

    done = flask(root, settings, "db", "sweep")

    assert "buckets: 3 deleted" in done.stdout.splitlines()
    assert query(settings, "SELECT count(*) FROM buckets") == [(1,)]
    assert Bucket.take("someone 0", Rate(1, 3600), kind="test") is None


def test_a_sweep_waits_for_nobody_who_has_a_bucket(settings: Settings) -> None:
    for number in range(3):
        Bucket.take(f"someone {number}", Rate(1, 3600), kind="test")
    pass_on(3600)

    with held(settings, "SELECT FROM buckets ORDER BY key LIMIT 1 FOR UPDATE"):
        assert Bucket.sweep(batch=10) == 2

    assert query(settings, "SELECT count(*) FROM buckets") == [(1,)]
