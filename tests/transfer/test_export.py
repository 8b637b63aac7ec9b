"""The export: every row unchanged, and the same bytes each time."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from nexus.config import Settings
from nexus.errors import DatabaseUnavailable
from nexus.migrate import History
from nexus.transfer.export import snapshot
from nexus.transfer.problems import TransferError
from nexus.transfer.tables import LEFT_OUT, TABLES, Table
from tests.environment import environment
from tests.sql import TERMINATE, query
from tests.transfer.shop import ORDER, ROWS, export, put


def line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))


def test_both_formats_have_one_row_per_line(root: Path, stocked: Settings, tmp_path: Path) -> None:
    more = {"users": [{**ROWS["users"][0], "id": 5, "email": "b"}]}
    put(stocked, {**{table: [] for table in ROWS}, **more})

    as_json = export(root, stocked, tmp_path / "shop.json")
    export(root, stocked, tmp_path / "shop.ndjson", PGCLIENTENCODING="LATIN1", PGTZ="Asia/Tokyo")

    user, other = (line({**ROWS["users"][0], **new}) for new in ({}, {"id": 5, "email": "b"}))
    product, order = line(ROWS["products"][0]), line(ROWS["orders"][0])
    placed, paid = map(line, ROWS["order_events"])
    counted = "2 users, 1 products, 1 orders, 2 order_events"
    assert as_json.stdout.decode() == f"exported {counted} to {tmp_path}/shop.json\n"
    assert (tmp_path / "shop.json").read_text(encoding="utf-8").split("\n") == [
        '{"format":"nexus","version":1,"users":[',
        user + ",",
        other,
        '],"products":[',
        product,
        '],"orders":[',
        order,
        '],"order_events":[',
        placed + ",",
        paid,
        "]}",
        "",
    ]
    assert (tmp_path / "shop.ndjson").read_text(encoding="utf-8").split("\n") == [
        '{"format":"nexus","version":1}',
        f'{{"table":"users","row":{user}}}',
        f'{{"table":"users","row":{other}}}',
        f'{{"table":"products","row":{product}}}',
        f'{{"table":"orders","row":{order}}}',
        f'{{"table":"order_events","row":{placed}}}',
        f'{{"table":"order_events","row":{paid}}}',
        '{"rows":6}',
        "",
    ]
    assert json.loads((tmp_path / "shop.json").read_bytes())["orders"] == ROWS["orders"]


def test_an_empty_shop_can_be_exported(root: Path, shop: Settings) -> None:
    empty = export(root, shop, "-", "--format", "json")

    assert json.loads(empty.stdout) == {
        "format": "nexus",
        "version": 1,
        "users": [],
        "products": [],
        "orders": [],
        "order_events": [],
    }
    assert empty.stderr == b""


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
numbers = st.integers(0, 2**63 - 1)
moments = st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='microseconds')}Z")
users = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.integers(-(2**63), 2**63 - 1),
            "email": texts,
            "password": texts,
            "role": st.sampled_from(["seller", "admin"]),
            "createdAt": moments,
            "updatedAt": moments,
        }
    ),
    unique_by=(lambda row: row["id"], lambda row: str(row["email"]).casefold()),
    max_size=4,
)
orders = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.uuids().map(str),
            "oldId": st.none(),
            "sellerId": st.none(),
            "productId": st.none(),
            "productName": texts,
            "email": texts,
            "name": st.none() | texts,
            "status": st.sampled_from(["created", "paid"]),
            "amount": numbers,
            "currency": st.just("RUB"),
            "createdAt": moments,
            "updatedAt": moments,
        }
    ),
    unique_by=lambda row: row["id"],
    max_size=4,
)


@pytest.fixture(scope="module")
def emptied(settings: Settings) -> Iterator[Settings]:
    """The database of the test run, emptied before and after."""
    History.of(settings).migrate()
    yield settings
    query(settings, "TRUNCATE users, products, orders, order_events CASCADE")


@given(users=users, orders=orders)
@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_rows_are_exported_unchanged(emptied: Settings, users: list[Any], orders: list[Any]) -> None:
    query(emptied, "TRUNCATE users, products, orders, order_events CASCADE")
    events = [
        {**ROWS["order_events"][1], "id": number, "orderId": order["id"], "at": order["createdAt"]}
        for number, order in enumerate(orders, 1)
    ]
    put(emptied, {"users": users, "products": [], "orders": orders, "order_events": events})
    files = {"json": io.BytesIO(), "ndjson": io.BytesIO()}

    with snapshot(emptied) as shop:
        for form, file in files.items():
            shop.write(file, form=form, seen=lambda rows: None)

    whole_file = json.loads(files["json"].getvalue())
    assert whole_file["users"] == sorted(users, key=lambda row: int(row["id"]))
    assert whole_file["orders"] == sorted(orders, key=lambda row: str(row["id"]))
    assert whole_file["order_events"] == events
    _, *rows, last = [json.loads(line) for line in files["ndjson"].getvalue().decode().split("\n")[:-1]]
    assert [row["row"] for row in rows] == whole_file["users"] + whole_file["orders"] + events
    assert last == {"rows": len(rows)}


def test_changes_made_during_an_export_are_not_in_it(stocked: Settings) -> None:
    file = io.BytesIO()

    with snapshot(stocked) as moment:
        query(stocked, "DELETE FROM orders")
        query(stocked, "INSERT INTO users (email, password) VALUES ('late@example.com', 'x')")
        moment.write(file, form="json", seen=lambda rows: None)

    assert {table: json.loads(file.getvalue())[table] for table in ROWS} == ROWS


def test_row_level_security_that_hides_rows_is_an_error(stocked: Settings) -> None:
    query(stocked, "ALTER TABLE orders ENABLE ROW LEVEL SECURITY")
    query(stocked, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO pg_monitor")
    url = str(stocked.database_url)
    # Any role without rights here would do; this one exists on every server.
    url += f"{'&' if '?' in url else '?'}options=-crole%3Dpg_monitor"
    guest = stocked.model_copy(update={"database_url": url})

    with pytest.raises(TransferError, match="row-level security policy for table"), snapshot(guest):
        pass


def test_no_statement_timeout_applies_to_an_export(stocked: Settings) -> None:
    ((name,),) = query(stocked, "SELECT quote_ident(current_database())")
    query(stocked, f"ALTER DATABASE {name} SET statement_timeout = '1min'")
    query(stocked, "ALTER TABLE orders RENAME TO kept")
    # A session with a statement timeout sees no orders.
    query(
        stocked, "CREATE VIEW orders AS SELECT * FROM kept WHERE current_setting('statement_timeout') = '0'"
    )

    with snapshot(stocked) as moment:
        assert moment.sizes["orders"] == 1


def names(table: Table) -> list[str]:
    return [column.strip('"') for column in table.columns]


def test_every_column_of_the_shop_is_in_the_export(stocked: Settings) -> None:
    columns = query(
        stocked,
        "SELECT table_name::text, column_name::text FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name <> 'migratehistory'"
        # A trigger fills it again on import.
        " AND (table_name, column_name) <> ('products', 'search')",
    )

    held = {(table, column) for table, column in columns if table not in LEFT_OUT}
    assert held == {(table.name, column) for table in TABLES for column in names(table)}


@pytest.mark.parametrize(
    "moment", ["infinity", "-infinity", "10000-01-01 00:00:00Z", "0001-12-31 23:59:59.999999Z BC"]
)
def test_a_time_that_json_cannot_represent_is_refused(stocked: Settings, moment: str) -> None:
    query(stocked, "UPDATE orders SET created_at = %s", moment)

    with pytest.raises(TransferError, match=f"^orders {ORDER}: a time outside the years"), snapshot(stocked):
        pass


def test_errors_are_reported_in_one_line_and_leave_no_file(
    root: Path, stocked: Settings, tmp_path: Path
) -> None:
    query(stocked, "UPDATE orders SET created_at = 'infinity'")
    unrepresentable = export(root, stocked, tmp_path / "shop.json")
    query(stocked, "DROP TABLE idempotency_keys, order_events, orders")
    unmigrated = export(root, stocked, tmp_path / "shop.json")
    down = export(
        root, stocked, tmp_path / "shop.json", DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing"
    )
    unnamed = export(root, stocked, tmp_path / "shop.txt")
    closed = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m flask db export - --format json >&-"],
        cwd=root,
        env=environment(stocked),
        capture_output=True,
        check=False,
    )

    assert [run.returncode for run in (unrepresentable, unmigrated, down, unnamed, closed)] == [1, 1, 1, 2, 1]
    assert closed.stderr == b"Error: standard output is closed\n"
    assert unrepresentable.stderr.decode().startswith(f"Error: orders {ORDER}: a time")
    assert unmigrated.stderr.decode().endswith("bring the schema up to date with flask migrate\n")
    assert down.stderr.decode().startswith("Error: the database cannot be reached: ")
    assert [run.stderr.count(b"\n") for run in (unrepresentable, unmigrated, down)] == [1, 1, 1]
    assert b"--format" in unnamed.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_connection_lost_during_an_export_is_an_outage(
    stocked: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    # The first row is long enough to be sent at once; the next takes the server some time.
    query(
        stocked,
        "INSERT INTO products (user_id, name, description, price, currency)"
        " SELECT 4, 'Long', repeat('x', length), 1, 'USD' FROM (VALUES (10000), (30000000)) AS row (length)",
    )
    ended: list[Any] = []

    rows: list[int] = []

    def end(row: int) -> None:
        rows.append(row)
        if len(rows) == 2:
            ended.extend(query(stocked, TERMINATE))

    with pytest.raises(DatabaseUnavailable), snapshot(stocked) as shop:
        shop.write(io.BytesIO(), form="json", seen=end)

    assert ended == [(1,)]
    assert capfd.readouterr().err == ""
