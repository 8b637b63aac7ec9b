"""Order events in files: ours contain them, old ones do not, and every order has a first event."""

import json
from pathlib import Path

from nexus.config import Settings
from tests.sql import query
from tests.transfer.conftest import UUID, Run, Tables, clear, old, write
from tests.transfer.shop import ROWS
from tests.transfer.test_there_and_back import exported

EVENTS = 'SELECT order_id::text, "from", "to", actor, at = created_at FROM order_events e'


def test_an_order_of_the_old_system_gets_one_event_from_the_import(
    shop: Settings, flask: Run, tmp_path: Path
) -> None:
    file = write(tmp_path / "old.json", old())
    assert flask("db", "import", file).exit_code == 0
    assert flask("db", "import", file).exit_code == 0

    found = query(shop, f"{EVENTS} JOIN orders o ON o.id = order_id ORDER BY e.id")

    assert len(found) == 2
    assert found[1] == (UUID, None, "refunded", "import", True)
    assert found[0][1:] == (None, "paid", "import", True)
    assert flask("db", "verify", file).exit_code == 0


def test_exported_events_are_imported_and_new_ones_get_later_ids(
    stocked: Settings, flask: Run, tmp_path: Path
) -> None:
    before = exported(flask, tmp_path)
    clear(stocked)
    assert flask("db", "import", tmp_path / "shop.json").exit_code == 0
    assert exported(flask, tmp_path) == before

    query(stocked, "UPDATE orders SET status = 'refunded'")

    assert query(stocked, "SELECT id FROM order_events ORDER BY id") == [(9,), (12,), (13,)]


def test_a_differing_event_is_reported_and_nothing_is_written(
    stocked: Settings, flask: Run, tmp_path: Path
) -> None:
    events = [{**ROWS["order_events"][0], "actor": "another"}, *ROWS["order_events"][1:]]
    changed: Tables = {**ROWS, "order_events": events}

    run = flask("db", "import", write(tmp_path / "shop.json", changed), "--json")

    assert run.exit_code == 1
    named = json.loads(run.stdout)["problems"]["named"]
    assert [(one["table"], one["field"]) for one in named] == [("order_events", "actor")]


def test_other_events_of_an_existing_order_are_a_conflict(
    stocked: Settings, flask: Run, tmp_path: Path
) -> None:
    """As when both shops imported the old data, each numbering the events itself."""
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
