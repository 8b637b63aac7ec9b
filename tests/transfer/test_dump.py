"""The generated dump: the three layouts of the old data, and CSV files that PostgreSQL can read."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from nexus.config import Settings
from nexus.db.connection import connect
from tests.benchmarks.dump import COLUMNS
from tests.sql import query


def dump(root: Path, file: Path, *words: str) -> dict[str, Any]:
    small = ("--orders", "300", "--products", "120", "--users", "40")
    command = [sys.executable, "-m", "tests.benchmarks.dump", str(file), *small, *words]
    subprocess.run(command, cwd=root, check=True)
    written: dict[str, Any] = json.loads(file.read_bytes())
    return written


@pytest.fixture
def rows(root: Path, tmp_path: Path) -> dict[str, Any]:
    return dump(root, tmp_path / "rows.json", "--shape", "rows")


def test_every_layout_and_every_run_give_the_same_rows(
    root: Path, tmp_path: Path, rows: dict[str, Any]
) -> None:
    maps = dump(root, tmp_path / "maps.json")
    objects = dump(root, tmp_path / "objects.json", "--shape", "objects")
    dump(root, tmp_path / "again.json")

    assert {table: [row for _, row in entries] for table, entries in maps.items()} == rows
    assert {table: list(entries.values()) for table, entries in objects.items()} == rows
    assert {table: [str(key) for key, _ in entries] for table, entries in maps.items()} == {
        table: list(entries) for table, entries in objects.items()
    }
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "maps.json").read_bytes()


def test_the_generated_rows_are_consistent(rows: dict[str, Any]) -> None:
    sellers = {row["id"] for row in rows["users"]}
    prices = {row["id"]: row["price"] for row in rows["products"]}

    assert {table: len(held) for table, held in rows.items()} == {"users": 40, "products": 120, "orders": 300}
    assert len({row["email"].lower() for row in rows["users"]}) == 40
    assert {row["userId"] for row in rows["products"]} <= sellers
    assert all(row["amount"] == prices[row["productId"]] for row in rows["orders"])
    assert len({row["id"] for row in rows["orders"]}) == 300
    assert sum(row["id"].startswith("ord_") for row in rows["orders"]) == 150


def test_the_csv_files_hold_the_same_rows(
    root: Path, tmp_path: Path, shop: Settings, rows: dict[str, Any]
) -> None:
    dump(root, tmp_path / "maps.json", "--csv", str(tmp_path / "csv"))

    with closing(connect(shop.direct, wait=5)) as connection:
        for table, columns in COLUMNS.items():
            with (tmp_path / "csv" / f"{table}.csv").open("rb") as file:
                command = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT csv, HEADER, NULL '\\N')"
                connection.cursor().copy_expert(command, file)

    assert query(shop, "SELECT id, name, description, price FROM products ORDER BY id") == [
        (row["id"], row["name"], row["description"], row["price"]) for row in rows["products"]
    ]
    sold = query(shop, "SELECT coalesce(old_id, id::text), email, name, amount FROM orders")
    assert sorted(sold, key=str) == sorted(
        ((row["id"], row["email"], row["name"], row["amount"]) for row in rows["orders"]), key=str
    )
