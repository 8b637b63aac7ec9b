"""`flask db bench`: its output, and that it leaves every row unchanged, however it ends."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.bench import BUYER, CREATE_AND_DELETE, LAST_PAGE, PERCENTILES, percentile
from nexus.config import Settings
from tests.environment import environment, flask
from tests.locks import held, until_someone_waits
from tests.sql import TERMINATE, query

NAMES = [
    "user by e-mail",
    "products by user",
    CREATE_AND_DELETE,
    "products, the first page of 20",
    LAST_PAGE,
    "orders of a seller, a page of 20",
]
CONTENT = (
    "SELECT (SELECT json_agg(users ORDER BY id)::text FROM users),"
    " (SELECT json_agg(products ORDER BY id)::text FROM products),"
    " (SELECT json_agg(orders ORDER BY id)::text FROM orders)"
)
#: Records each order that is created, since the benchmark deletes them again.
RECORDING_TRIGGER = """
CREATE TABLE seen (email text);
CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO seen VALUES (NEW.email); RETURN NEW; END $$;
CREATE TRIGGER witness AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION witness();
"""
#: Blocks this operation on orders while the test holds the lock.
BLOCKING_TRIGGER = """
CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN COALESCE(NEW, OLD); END $$;
CREATE TRIGGER gate BEFORE {} ON orders FOR EACH ROW EXECUTE FUNCTION gate();
"""
TAKE_LOCK = "SELECT pg_advisory_xact_lock(7)"


@pytest.fixture
def stocked(root: Path, shop: Settings) -> Settings:
    """A database with a seller of a hundred products."""
    flask(root, shop, "seed", "--scale", "1")
    return shop


def test_it_measures_everything_and_changes_no_row(root: Path, stocked: Settings) -> None:
    query(stocked, RECORDING_TRIGGER)
    before = query(stocked, CONTENT)

    run = flask(root, stocked, "db", "bench", "--runs", "5", "--json")

    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    report = json.loads(run.stdout)
    assert [found["name"] for found in report["measurements"]] == NAMES
    for found in report["measurements"]:
        for side in ("models_ms", "bare_ms"):
            assert list(found[side]) == ["p50", "p95", "p99"]
            assert list(found[side].values()) == sorted(found[side].values())
        assert found["ratio"] > 0
        assert found["fast_enough"] is (found["models_ms"]["p95"] < report["limit_ms"])
    assert (report["runs"], report["limit_ms"], report["left_out"]) == (5, 50, [])
    assert query(stocked, CONTENT) == before
    assert {email for (email,) in query(stocked, "SELECT email FROM seen")} == {BUYER}


def test_without_json_it_prints_a_table(root: Path, stocked: Settings) -> None:
    run = flask(root, stocked, "db", "bench", "--runs", "1")

    lines = run.stdout.splitlines()
    assert (run.returncode, run.stderr) == (0, "")
    assert lines[0].startswith("1 runs each, after 20 to warm up; user 1 has ")
    header, *rows = lines[3:]
    assert header.endswith("p95 < 50")
    assert [row[: len(name)] for row, name in zip(rows, NAMES, strict=True)] == NAMES
    assert {len(row) for row in rows} == {len(header)}


def test_in_production_it_writes_only_with_force(root: Path, stocked: Settings) -> None:
    query(stocked, RECORDING_TRIGGER)

    without_force = flask(root, stocked, "db", "bench", "--runs", "1", "--json", APP_ENV="production")
    written = query(stocked, "SELECT count(*) FROM seen")
    as_text = flask(root, stocked, "db", "bench", "--runs", "1", APP_ENV="production")
    forced = flask(root, stocked, "db", "bench", "--runs", "1", "--json", "--force", APP_ENV="production")

    assert [run.returncode for run in (without_force, as_text, forced)] == [0, 0, 0]
    report = json.loads(without_force.stdout)
    assert CREATE_AND_DELETE not in [found["name"] for found in report["measurements"]]
    assert [left["name"] for left in report["left_out"]] == [CREATE_AND_DELETE]
    assert written == [(0,)]
    assert as_text.stdout.splitlines()[-1].startswith(f"left out: {CREATE_AND_DELETE}; this is production")
    assert [found["name"] for found in json.loads(forced.stdout)["measurements"]] == NAMES
    assert query(stocked, "SELECT count(*) FROM orders") == [(10,)]


def test_a_small_shop_skips_the_last_page_and_an_empty_one_fails(root: Path, shop: Settings) -> None:
    empty = flask(root, shop, "db", "bench")
    flask(root, shop, "seed")
    small = flask(root, shop, "db", "bench", "--runs", "1")

    assert (empty.returncode, empty.stdout) == (1, "")
    assert empty.stderr == "Error: there is no product to measure with: run flask seed first\n"
    assert small.returncode == 0
    assert small.stdout.splitlines()[-1].startswith(f"left out: {LAST_PAGE}; there are only 2 products")


def test_ctrl_c_while_creating_an_order_leaves_no_order(root: Path, stocked: Settings) -> None:
    query(stocked, BLOCKING_TRIGGER.format("INSERT"))
    with held(stocked, TAKE_LOCK):
        run = start(root, stocked)
        until_someone_waits(stocked)
        run.send_signal(signal.SIGINT)
    _, complaint = run.communicate(timeout=60)

    assert (run.returncode, complaint.split()) == (1, ["Aborted!"])
    assert orders(stocked) == 0


def test_a_connection_lost_between_create_and_delete_leaves_no_order(root: Path, stocked: Settings) -> None:
    query(stocked, BLOCKING_TRIGGER.format("DELETE"))
    with held(stocked, TAKE_LOCK):
        run = start(root, stocked)
        until_someone_waits(stocked)
        made = orders(stocked)
        query(stocked, TERMINATE + " AND wait_event_type = 'Lock'")
        # The order is deleted on another connection, which is blocked by the same trigger.
        until_someone_waits(stocked)
    _, complaint = run.communicate(timeout=60)

    assert made == 1
    assert run.returncode == 1
    assert complaint.startswith("Error: the database cannot be reached: ")
    assert complaint.count("\n") == 1
    assert orders(stocked) == 0


def test_the_next_run_deletes_what_a_killed_run_left(root: Path, stocked: Settings) -> None:
    query(stocked, BLOCKING_TRIGGER.format("DELETE"))
    with held(stocked, TAKE_LOCK):
        run = start(root, stocked)
        until_someone_waits(stocked)
        run.kill()
        run.communicate(timeout=60)
        query(stocked, TERMINATE + " AND wait_event_type = 'Lock'")
    left = orders(stocked)

    again = flask(root, stocked, "db", "bench", "--runs", "1")

    assert (left, again.returncode, orders(stocked)) == (1, 0, 0)


def start(root: Path, settings: Settings) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "flask", "db", "bench"]
    return subprocess.Popen(words, cwd=root, env=environment(settings), stderr=subprocess.PIPE, text=True)


def orders(settings: Settings) -> int:
    """Count the orders of the benchmark's buyer."""
    ((count,),) = query(settings, "SELECT count(*) FROM orders WHERE email = %s", BUYER)
    return int(count)


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentile_uses_the_nearest_rank_method(values: list[float]) -> None:
    for percent in PERCENTILES:
        found = percentile(sorted(values), percent)
        assert sum(value <= found for value in values) >= len(values) * percent / 100
        assert sum(value < found for value in values) < len(values) * percent / 100
