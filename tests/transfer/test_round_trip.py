"""Any rows are imported as they were written, or the corrupt one is reported."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nexus.config import Settings
from tests.sql import query
from tests.transfer.conftest import HASH, Run, Tables, clear, counts, old, write

TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=40)
ID = st.integers(1, 2**63 - 1)
MONEY = st.integers(0, 2**63 - 1)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))])
#: A day after the earliest time that Python has, so that every time zone can represent it.
EARLIEST = datetime(1, 1, 2)  # noqa: DTZ001
TIME = st.datetimes(timezones=ZONES, min_value=EARLIEST)
HASHES = st.sampled_from(
    [
        HASH,
        HASH.replace("$2b$10", "$2y$14"),
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
        "$argon2id$v=19$m=128,t=16,p=16$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
        "$argon2id$v=19$m=262144,t=1,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
    ]
)
SHAPES = ("arrays", "entries", "objects", "lines")


@st.composite
def shops(draw: st.DrawFn) -> Tables:
    """Generate any valid rows, some in the old format, some as an export has them."""
    users = [
        {"id": number, "email": f"{draw(TEXT)}{number}", "password": draw(HASHES)}
        for number in draw(st.lists(ID, min_size=1, max_size=4, unique=True))
    ]
    owners = st.sampled_from([user["id"] for user in users])
    products: list[dict[str, Any]] = []
    for number in draw(st.lists(ID, min_size=1, max_size=4, unique=True)):
        row = {"id": number, "userId": draw(owners), "name": draw(TEXT), "description": draw(TEXT)}
        row["price"] = draw(MONEY)
        if draw(st.booleans()):
            row |= {"currency": "EUR", "status": "draft", "createdAt": draw(TIME), "updatedAt": draw(TIME)}
        products.append(row)
    orders: list[dict[str, Any]] = []
    old_ids = TEXT.filter(bool).map(lambda text: f"ord {text}")
    for identity in draw(st.lists(st.uuids().map(str) | old_ids, max_size=5, unique=True)):
        row = {
            "id": identity,
            "productId": draw(st.sampled_from([product["id"] for product in products])),
            "email": draw(TEXT),
            "name": draw(st.none() | TEXT),
            "status": draw(st.sampled_from(["created", "processing", "paid", "refunded", "cancelled"])),
            "createdAt": draw(TIME),
            "amount": draw(MONEY),
        }
        if draw(st.booleans()):
            row |= {"sellerId": draw(st.none() | owners), "productName": draw(TEXT), "currency": "EUR"}
        orders.append(row)
    return {"users": users, "products": products, "orders": orders}


def on_the_wire(tables: Tables) -> Tables:
    return {
        table: [
            {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
            for row in rows
        ]
        for table, rows in tables.items()
    }


def expected(tables: Tables) -> Tables:
    products = {row["id"]: row for row in tables["products"]}
    orders = []
    for row in tables["orders"]:
        product = products[row["productId"]]
        filled = {"sellerId": product["userId"], "productName": product["name"], "currency": "USD"}
        orders.append({**filled, **row})
    return {
        "users": [{**row} for row in tables["users"]],
        "products": [{"currency": "USD", "status": "live", **row} for row in tables["products"]],
        "orders": orders,
    }


COLUMNS = {
    "userId": "user_id",
    "sellerId": "seller_id",
    "productId": "product_id",
    "productName": "product_name",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
}


def found(shop: Settings, table: str) -> dict[Any, dict[str, Any]]:
    rows = query(shop, f"SELECT to_jsonb(t) FROM {table} t")
    return {row.get("old_id") or row["id"]: row for (row,) in rows}


def same(stored: Any, value: Any) -> bool:
    return bool((datetime.fromisoformat(stored) if isinstance(value, datetime) else stored) == value)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables=shops(), shape=st.sampled_from(SHAPES), indent=st.sampled_from([None, 1]), data=st.data())
def test_any_rows_are_imported_as_they_were_written(
    shop: Settings,
    flask: Run,
    tmp_path: Path,
    tables: Tables,
    shape: str,
    indent: int | None,
    data: st.DataObject,
) -> None:
    clear(shop)
    shuffled = {name: tables[name] for name in data.draw(st.permutations(list(tables)))}
    file = write(
        tmp_path / ("shop.ndjson" if shape == "lines" else "shop.json"),
        on_the_wire(shuffled),
        shape=shape,
        indent=indent,
    )

    run = flask("db", "import", file, "--json")

    assert run.exit_code == 0, run.output
    assert counts(shop) == [len(tables[name]) for name in ("users", "products", "orders")]
    for table, rows in expected(tables).items():
        there = found(shop, table)
        for row in rows:
            stored = there[row.pop("id")]
            assert all(same(stored[COLUMNS.get(name, name)], value) for name, value in row.items())
    assert flask("db", "verify", file).exit_code == 0
    again = json.loads(flask("db", "import", file, "--json").stdout)
    assert [table["written"] for table in again["tables"]] == [0, 0, 0, 0]


#: A table, a field, and a value that is invalid there.
CORRUPTIONS: list[tuple[str, str, Any]] = [
    ("users", "id", "1"),
    ("users", "id", 2**63),
    ("users", "email", None),
    ("users", "email", "x" * 1025),
    ("users", "email", "BOB@EXAMPLE.COM"),
    ("users", "password", "password123"),
    ("users", "password", HASH[:-1]),
    ("users", "password", HASH.replace("$10$", "$15$")),
    ("users", "password", HASH[:-1] + "1"),
    ("users", "password", "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaB"),
    ("users", "password", "$argon2id$v=19$m=9999999,t=2,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"),
    ("users", "password", "$argon2id$v=19$m=262145,t=2,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"),
    ("users", "password", "$argon2id$v=19$m=19456,t=17,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"),
    ("users", "password", "$argon2id$v=19$m=19456,t=2,p=17$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"),
    ("users", "password", "$argon2id$v=19$m=127,t=2,p=16$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"),
    ("users", "createdAt", "2025-10-10T09:00:33"),
    ("products", "userId", 77),
    ("products", "name", 5),
    ("products", "name", ["Course"]),
    ("products", "description", "a\0b"),
    ("products", "description", "a\ud800b"),
    ("products", "price", -1),
    ("products", "price", 1.5),
    ("products", "price", True),
    ("products", "price", 2**63),
    ("products", "currency", "usd"),
    ("products", "status", "hidden"),
    ("products", "colour", "red"),
    ("orders", "id", 17),
    ("orders", "id", ""),
    ("orders", "oldId", "another"),
    ("orders", "productId", 99),
    ("orders", "sellerId", 99),
    ("orders", "status", "shipped"),
    ("orders", "createdAt", "2025-02-30T09:00:33Z"),
    ("orders", "amount", "100"),
]


@pytest.mark.parametrize("shape", ["entries", "lines"])
def test_any_corruption_is_reported_and_nothing_is_written(
    shop: Settings, flask: Run, tmp_path: Path, shape: str
) -> None:
    for table, field, value in CORRUPTIONS:
        tables = old()
        tables[table][0][field] = value
        identity = tables[table][0]["id"]
        file = write(tmp_path / ("a.ndjson" if shape == "lines" else "a.json"), tables, shape=shape)

        run = flask("db", "import", file, "--json")

        assert run.exit_code == 1, (table, field, value)
        named = json.loads(run.stdout)["problems"]["named"]
        assert (table, identity, field) in [(one["table"], one["id"], one["field"]) for one in named], named
        place = file.read_text(encoding="utf-8").splitlines()[named[0]["line"] - 1][named[0]["column"] - 1 :]
        assert place.startswith("{")
        if field != "id":
            assert len(named) == 1 or value == "BOB@EXAMPLE.COM", named
        assert counts(shop) == [0, 0, 0]


@pytest.mark.parametrize("field", ["id", "email", "status", "amount", "name", "productId", "createdAt"])
def test_a_missing_field_is_reported(shop: Settings, flask: Run, tmp_path: Path, field: str) -> None:
    tables = old()
    del tables["orders"][0][field]

    run = flask("db", "import", write(tmp_path / "a.json", tables), "--json")

    (named,) = json.loads(run.stdout)["problems"]["named"]
    assert (named["table"], named["field"], named["reason"]) == ("orders", field, "is missing")
    assert counts(shop) == [0, 0, 0]
