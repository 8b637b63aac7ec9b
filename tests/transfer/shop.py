"""A shop with awkward rows, and helpers that insert and export rows."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from nexus.config import Settings
from nexus.db.connection import connect
from nexus.transfer.tables import TABLES
from tests.environment import environment

Rows = dict[str, list[dict[str, Any]]]

ORDER = "6e2908b5-3065-436c-b153-f779a6d532f6"
ROWS: Rows = {
    "users": [
        {
            "id": 4,
            "email": "o'neil+shop@example.co.uk",
            "password": "$2b$10$UiPHPToszjERkZ3VcpYZoe1oDWveDBO0nZrzBooCfwPCznVxlEEz2",
            "role": "admin",
            "createdAt": "2026-01-31T09:12:33.123456Z",
            "updatedAt": "2026-01-31T09:12:33.000000Z",
        }
    ],
    "products": [
        {
            "id": 9223372036854775806,
            "userId": 4,
            "name": 'Ёж "x" \\ 𝕬\u2028\u007f',
            "description": "",
            "price": 9223372036854775806,
            "currency": "USD",
            "status": "draft",
            "createdAt": "0001-01-01T00:00:00.000000Z",
            "updatedAt": "9999-12-31T23:59:59.999999Z",
        }
    ],
    "orders": [
        {
            "id": ORDER,
            "oldId": None,
            "sellerId": 4,
            "productId": None,
            "productName": "a\tb\r\nc\x01",
            "email": "иван@пример.рф",
            "name": None,
            "status": "paid",
            "amount": 0,
            "currency": "USD",
            "createdAt": "2026-01-31T09:12:33.120000Z",
            "updatedAt": "2026-01-31T09:12:33.120000Z",
        }
    ],
    "order_events": [
        {
            "id": 9,
            "orderId": ORDER,
            "at": "2026-01-31T09:12:33.120000Z",
            "from": None,
            "to": "created",
            "actor": "buyer",
            "requestId": None,
        },
        {
            "id": 12,
            "orderId": ORDER,
            "at": "2026-01-31T09:12:34.000001Z",
            "from": "created",
            "to": "paid",
            "actor": 'Ёж "x"',
            "requestId": "a1b2",
        },
    ],
}


def put(settings: Settings, rows: Rows) -> None:
    with closing(connect(settings.direct, wait=5)) as connection:
        # So that no trigger writes the orders' events: they are among the rows.
        connection.cursor().execute("SET nexus.import = 'on'")
        for table in TABLES:
            placeholders = ", ".join("%s" for _ in table.fields)
            for row in rows[table.name]:
                connection.cursor().execute(
                    f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({placeholders})",
                    [row[field.wire] for field in table.fields],
                )


def export(
    root: Path, settings: Settings, *words: str | Path, **changes: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "flask", "db", "export", *map(str, words)],
        cwd=root,
        env=environment(settings, **changes),
        capture_output=True,
        timeout=60,
    )
