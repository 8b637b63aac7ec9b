"""Round trips: exporting, emptying, importing and exporting again gives the same bytes."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from nexus.config import Settings
from tests.transfer.conftest import Run, Tables, clear, write
from tests.transfer.test_legacy import FILES
from tests.transfer.test_round_trip import on_the_wire, shops

FORMATS = ("json", "ndjson")


def exported(flask: Run, folder: Path) -> list[bytes]:
    """Export the shop in each format."""
    files = [folder / f"shop.{form}" for form in FORMATS]
    for file in files:
        run = flask("db", "export", file, "--force")
        assert run.exit_code == 0, run.output
    return [file.read_bytes() for file in files]


def import_file(flask: Run, file: Path) -> None:
    run = flask("db", "import", file)
    assert run.exit_code == 0, run.output


@pytest.mark.parametrize("form", FORMATS)
def test_awkward_rows_survive_a_round_trip_byte_for_byte(
    stocked: Settings, flask: Run, tmp_path: Path, form: str
) -> None:
    before = exported(flask, tmp_path)
    clear(stocked)

    import_file(flask, tmp_path / f"shop.{form}")

    assert exported(flask, tmp_path) == before


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_old_data_survives_a_round_trip_byte_for_byte(
    shop: Settings, flask: Run, tmp_path: Path, file: Path
) -> None:
    import_file(flask, file)
    before = exported(flask, tmp_path)
    clear(shop)

    import_file(flask, tmp_path / "shop.json")

    assert exported(flask, tmp_path) == before


@given(tables=shops())
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_imported_rows_survive_a_round_trip(
    shop: Settings, flask: Run, tmp_path: Path, tables: Tables
) -> None:
    clear(shop)
    import_file(flask, write(tmp_path / "old.json", on_the_wire(tables)))

    before = exported(flask, tmp_path)
    clear(shop)
    import_file(flask, tmp_path / "shop.ndjson")

    assert exported(flask, tmp_path) == before
    out = json.loads(before[0])
    for table, rows in tables.items():
        there = {row.get("oldId") or row["id"]: row for row in out[table]}
        assert len(there) == len(rows)
        for row in rows:
            held = there[row["id"]]
            assert all(parsed(held[name], value) == value for name, value in row.items() if name != "id")


def parsed(held: Any, value: Any) -> Any:
    """Convert a field of the export to the type of the original value."""
    return datetime.fromisoformat(held) if isinstance(value, datetime) else held
