"""Events of orders in files: ours bring theirs, old ones bring none, and each order has its beginning."""

import json
from pathlib import Path

from nexus.config import Settings
from tests.sql import query
from tests.transfer.conftest import UUID, Run, Tables, clear, old, write
from tests.transfer.shop import ROWS
from tests.transfer.test_there_and_back import exported

EVENTS = 'SELECT order_id::text, "from", "to", actor, at = created_at FROM order_events e'


def test_old_orders_have_one_event_by_the_import(shop: Settings, flask: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "old.json", old())
    assert flask("db", "import", file).exit_code == 0
    assert flask("db", "import", file).exit_code == 0

    found = query(shop, f"{EVENTS} JOIN orders o ON o.id = order_id ORDER BY e.id")

    assert len(found) == 2
    assert found[1] == (UUID, None, "refunded", "import", True)
    assert found[0][1:] == (None, "paid", "import", True)
    assert flask("db", "verify", file).exit_code == 0


def test_the_events_of_our_own_files_come_back_and_new_ones_follow(
    stocked: Settings, flask: Run, tmp_path: Path
) -> None:
    before = exported(flask, tmp_path)
    clear(stocked)
    assert flask("db", "import", tmp_path / "shop.json").exit_code == 0
    assert exported(flask, tmp_path) == before

    query(stocked, "UPDATE orders SET status = 'refunded'")

    assert query(stocked, "SELECT id FROM order_events ORDER BY id") == [(9,), (12,), (13,)]


def test_an_event_that_is_otherwise_is_named_and_nothing_is_written(
    stocked: Settings, flask: Run, tmp_path: Path
) -> None:
    events = [{**ROWS["order_events"][0], "actor": "another"}, *ROWS["order_events"][1:]]
    changed: Tables = {**ROWS, "order_events": events}

    run = flask("db", "import", write(tmp_path / "shop.json", changed), "--json")

    assert run.exit_code == 1
    named = json.loads(run.stdout)["problems"]["named"]
    assert [(one["table"], one["field"]) for one in named] == [("order_events", "actor")]


def test_events_of_an_order_that_is_there_without_them_are_a_conflict(
    stocked: Settings, flask: Run, tmp_path: Path
) -> None:
    """As where a shop has brought in the old data itself, with events under numbers of its own."""
    events = [{**event, "id": int(event["id"]) + 100} for event in ROWS["order_events"]]
    again: Tables = {**ROWS, "order_events": events}

    run = flask("db", "import", write(tmp_path / "shop.json", again), "--json")

    assert run.exit_code == 1
    named = json.loads(run.stdout)["problems"]["named"]
    assert [(one["table"], one["id"], one["field"]) for one in named] == [
        ("order_events", 109, "orderId"),
        ("order_events", 112, "orderId"),
    ]
    assert named[0]["reason"].endswith("is already in the database, without this row")
    assert query(stocked, "SELECT id FROM order_events ORDER BY id") == [(9,), (12,)]
