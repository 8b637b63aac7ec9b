"""An empty shop, separate from the database of the test run, and files to import into it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from nexus import cli
from nexus.config import Settings
from nexus.transfer.backup import Server
from tests.sql import query
from tests.transfer.shop import ROWS, put

Run = Callable[..., Result]
Tables = dict[str, list[dict[str, Any]]]

HASH = "$2b$10$UiPHPToszjERkZ3VcpYZoe1oDWveDBO0nZrzBooCfwPCznVxlEEz2"
UUID = "6e2908b5-3065-436c-b153-f779a6d532f6"


@pytest.fixture
def stocked(shop: Settings) -> Settings:
    """Settings for a shop with one awkward row in each table."""
    put(shop, ROWS)
    return shop


@pytest.fixture
def backup(stocked: Settings, tmp_path: Path) -> Path:
    """A backup of the shop with the awkward rows."""
    Server(stocked).back_up(tmp_path / "shop.backup")
    return tmp_path / "shop.backup"


@pytest.fixture
def flask(shop: Settings) -> Run:
    """Run a `flask` command on that shop; its own application leaves the test run's connection pool alone."""
    app = Flask("nexus")
    app.config["SETTINGS"] = shop
    cli.init_app(app)

    def run(*words: object) -> Result:
        return app.test_cli_runner().invoke(args=[str(word) for word in words])

    return run


def old() -> Tables:
    """Rows in the format of the old system."""
    return {
        "users": [
            {"id": 1, "email": "ann@example.com", "password": HASH},
            {"id": 5, "email": "Bob@example.com", "password": HASH.replace("$2b$", "$2a$")},
        ],
        "products": [{"id": 3, "userId": 5, "name": "Course", "description": "", "price": 100}],
        "orders": [order(), order(id=UUID, name=None, status="refunded", amount=2**40)],
    }


def order(**changes: Any) -> dict[str, Any]:
    """An order in the format of the old system."""
    return {
        "id": "ord_1",
        "productId": 3,
        "email": "buyer@example.com",
        "name": "Zoë",
        "status": "paid",
        "createdAt": "2025-10-10T09:00:33.071Z",
        "amount": 100,
        **changes,
    }


def write(path: Path, tables: Tables, *, shape: str = "arrays", indent: int | None = None) -> Path:
    """Write rows to a file in one of the supported layouts."""
    if shape == "lines":
        lines: list[dict[str, Any]] = [{"format": "nexus", "version": 1}]
        lines += [{"table": table, "row": row} for table, rows in tables.items() for row in rows]
        lines.append({"rows": len(lines) - 1})
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return path
    shaped: dict[str, Any] = {}
    for table, rows in tables.items():
        keys = [row.get("email" if table == "users" else "id") for row in rows]
        shaped[table] = {
            "arrays": rows,
            "entries": list(zip(keys, rows, strict=True)),
            "objects": {str(key): row for key, row in zip(keys, rows, strict=True)},
        }[shape]
    path.write_text(json.dumps(shaped, ensure_ascii=indent is None, indent=indent), encoding="utf-8")
    return path


def counts(shop: Settings) -> list[int]:
    """Count the users, products and orders."""
    return [query(shop, f"SELECT count(*) FROM {table}")[0][0] for table in ("users", "products", "orders")]


def clear(shop: Settings) -> None:
    """Empty the shop."""
    query(shop, "TRUNCATE users, products, orders, order_events RESTART IDENTITY CASCADE")
