"""The CSV file of orders: what a spreadsheet reads in it, that it runs nothing, and what fails."""

import csv
import io
import re
from datetime import UTC
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st
from playhouse.test_utils import assert_query_count

from nexus.config import Settings
from nexus.db import database
from nexus.errors import NotFound, Unauthenticated
from nexus.models.orders import Order
from nexus.schemas.orders_csv import escaped, total
from tests.factories import Person, register
from tests.sql import TERMINATE, query

#: The module itself; in the package its name stands for the blueprint.
orders_csv = import_module("nexus.api.orders_csv")

SIGNS = tuple("=+-@＝＋－＠")
TEXTS = st.text(
    st.one_of(st.sampled_from("=+-@;,'\"\t\r\n ＝－a1ж"), st.characters(exclude_categories=["Cs"])),
    max_size=12,
).filter(lambda text: "\0" not in text)


def rows(person: Person, **filters: Any) -> list[dict[str, str]]:
    """The rows of the file, as a program reads them."""
    answer = person.get("/api/orders.csv", query_string=filters)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline=""), strict=True))


def sell(seller: Person, *, name: str, email: str = "buyer@example.com", buyer: str | None = None) -> None:
    """Insert an order directly, like an import."""
    with database.connection_context():
        Order.insert(
            seller=seller.id, product_name=name, email=email, name=buyer, amount=4999, currency="USD"
        ).execute()


def test_a_spreadsheet_can_read_dates_and_totals(seller: Person, rival: Person, stranger: Person) -> None:
    product = seller.product(name='Icons, "flat"', price=4999)
    order = stranger.order(product["id"], name="Иван")
    free = stranger.order(seller.product(price=0)["id"])
    stranger.order(rival.product()["id"])
    with database.connection_context():
        moment = "2026-01-31T12:12:33.1239+03:00"
        Order.update(created_at=moment).where(Order.id == order["id"]).execute()
        changed = Order.get_by_id(order["id"])

    with assert_query_count(2):
        answer = seller.get("/api/orders.csv")

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="orders.csv"'
    head, first, second, end = answer.data.decode().split("\r\n")
    assert (
        head
        == "\ufeffid,date,status,productId,productName,email,name,total,currency,amount,createdAt,updatedAt"
    )
    assert first.startswith(f"{free['id']},")
    assert ",0.00,USD,0," in first
    updated = f"{changed.updated_at.astimezone(UTC).isoformat(timespec='milliseconds')[:-6]}Z"
    assert second == (
        f'{order["id"]},2026-01-31 09:12:33,created,{product["id"]},"Icons, ""flat""",buyer@example.com,Иван,'
        f"49.99,USD,4999,2026-01-31T09:12:33.123Z,{updated}"
    )
    assert end == ""


def test_sellers_get_only_their_own_orders_and_strangers_none(
    seller: Person, rival: Person, stranger: Person
) -> None:
    stranger.order(seller.product()["id"])

    assert stranger.get("/api/orders.csv").status_code == 401
    assert rows(rival) == []
    assert stranger.get("/api/orders.csv?limit=no").status_code == 401


def test_the_filters_are_the_same_as_for_the_list(seller: Person, stranger: Person) -> None:
    one, two = seller.product(), seller.product()
    first = stranger.order(one["id"], email="Anna@example.com")
    second = stranger.order(two["id"])
    seller.patch(f"/api/orders/{second['id']}", {"status": "paid"})

    for filters in (
        {},
        {"email": "aNNA@example.com"},
        {"status": "paid"},
        {"status": "paid", "email": "anna@example.com"},
        {"productId": one["id"]},
        {"createdAfter": first["createdAt"]},
        {"createdBefore": second["createdAt"]},
    ):
        listed = seller.get("/api/orders", query_string=filters).get_json()["orders"]
        assert [row["id"] for row in rows(seller, **filters)] == [order["id"] for order in listed]


@pytest.mark.parametrize(
    "wrong", ["limit=1", "cursor=x", "status=gone", "productId=0", "email=%00", "createdAfter=1"]
)
def test_an_invalid_filter_is_refused_before_anything_is_sent(seller: Person, wrong: str) -> None:
    answer = seller.get(f"/api/orders.csv?{wrong}")

    assert (answer.status_code, answer.get_json()["code"]) == (400, "validation_failed")


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 7])
def test_the_file_is_complete_across_batches(
    seller: Person, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(orders_csv, "BATCH", 2)
    for number in range(count):
        sell(seller, name=str(number))

    # For an empty file, one more: whether the account is still there.
    with assert_query_count(1 + (-(-count // 2) or 2)):
        found = rows(seller)

    assert [row["productName"] for row in found] == [str(number) for number in reversed(range(count))]


def test_no_connection_is_held_while_the_client_reads(
    app: Flask, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders_csv, "BATCH", 1)
    for number in range(3):
        sell(seller, name=str(number))

    pieces = seller.get("/api/orders.csv", buffered=False).iter_encoded()
    for _ in range(2):
        next(pieces)
        assert not database._in_use
    assert len(list(pieces)) == 1


def test_rows_are_neither_skipped_nor_repeated_during_changes(
    seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders_csv, "BATCH", 2)
    for number in range(6):
        sell(seller, name=str(number))

    answer = seller.get("/api/orders.csv", buffered=False)
    text = ""
    for gone, piece in zip(("2", "5", "none"), answer.iter_encoded(), strict=True):
        text += piece.decode("utf-8-sig")
        sell(seller, name="new")
        with database.connection_context():
            Order.delete().where(Order.product_name == gone).execute()

    names = [row["productName"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert names == ["5", "4", "3", "1", "0"]


def test_a_download_survives_the_loss_of_all_connections(
    settings: Settings, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders_csv, "BATCH", 1)
    for number in range(3):
        sell(seller, name=str(number))

    pieces = seller.get("/api/orders.csv", buffered=False).iter_encoded()
    found = [next(pieces)]
    query(settings, TERMINATE)
    assert len([*found, *pieces]) == 3


@pytest.mark.parametrize(
    ("deletion", "error"), [("DELETE FROM users", Unauthenticated), ("DELETE FROM products", NotFound)]
)
def test_a_download_fails_if_its_orders_lose_their_account_or_product(
    settings: Settings,
    seller: Person,
    monkeypatch: pytest.MonkeyPatch,
    deletion: str,
    error: type[Exception],
) -> None:
    monkeypatch.setattr(orders_csv, "BATCH", 1)
    product = seller.product()["id"]
    for _ in range(3):
        seller.order(product)

    pieces = seller.get(f"/api/orders.csv?productId={product}", buffered=False).iter_encoded()
    next(pieces)
    query(settings, deletion)
    with pytest.raises(error):
        list(pieces)


def test_orders_that_leave_a_filter_one_by_one_do_not_fail_a_download(
    settings: Settings, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders_csv, "BATCH", 1)
    product = seller.product()["id"]
    for _ in range(2):
        seller.order(product)

    address = f"/api/orders.csv?status=created&productId={product}"
    pieces = seller.get(address, buffered=False).iter_encoded()
    found = [next(pieces)]
    query(settings, "UPDATE orders SET status = 'paid'")
    assert b"".join([*found, *pieces]).count(b"\r\n") == 2


@pytest.fixture
def shop(app: Flask) -> Person:
    """A seller whose orders the next test adds and removes again and again."""
    return register(app, "shop@example.com")


@trials(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(orders=st.lists(st.tuples(TEXTS, TEXTS, st.none() | TEXTS), max_size=6))
def test_any_text_is_preserved_and_none_becomes_a_formula(
    shop: Person, orders: list[tuple[str, str, str | None]]
) -> None:
    with database.connection_context():
        Order.delete().execute()
    for name, email, buyer in orders:
        sell(shop, name=name, email=email, buyer=buyer)

    found = rows(shop)

    shown = [(row["productName"], row["email"], row["name"]) for row in reversed(found)]
    assert shown == [tuple(escaped(text or "") for text in order) for order in orders]
    for row in found:
        assert str(UUID(row["id"])) == row["id"]
        assert (row["total"], row["amount"]) == ("49.99", "4999")
        for cell in row.values():
            assert not re.match(r"[\t\r\n]", cell)
            first, *others = re.split(r"[;\t\r\n]", cell)
            assert first.lstrip()[:1] not in SIGNS, cell
            for part in others:
                # For readers that split cells at semicolons, quotes inside our cells enclose their cells.
                assert re.sub(r'^[\s"]+', "", part)[:1] not in SIGNS, cell


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30", "'+49 30"),
        ("-50% today", "'-50% today"),
        ("@anna", "'@anna"),
        ("\t=1", "'\t'=1"),
        ("\rx", "'\rx"),
        ("  =1", "'  =1"),
        ("＝1", "'＝1"),
        ("a;=1", "a;'=1"),
        ("a\n =1", "a\n '=1"),
        ('a;"=1', "a;\"'=1"),
        ('a; ""; "-1', 'a; ""; "\'-1'),
        ('"=1"', '"=1"'),
        ("a-b = c+d@e.f; g", "a-b = c+d@e.f; g"),
        ("'t Hooft", "'t Hooft"),
        ("", ""),
    ],
)
def test_text_that_could_run_as_a_formula_is_escaped(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_escaping_many_lines_takes_linear_time() -> None:
    lines = "\n" * 300_000
    assert escaped(f"{lines}x") == f"'{lines}x"


@given(text=TEXTS)
def test_escaping_changes_only_apostrophes_and_is_idempotent(text: str) -> None:
    assert escaped(text).replace("'", "") == text.replace("'", "")
    assert escaped(escaped(text)) == escaped(text)


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (0, "USD", "0.00"),
        (5, "USD", "0.05"),
        (99_999_999, "EUR", "999999.99"),
        (4999, "JPY", "4999"),
        (4999, "KWD", "4.999"),
        (2**63 - 1, "RUB", "92233720368547758.07"),
    ],
)
def test_a_total_is_in_the_major_unit_of_its_currency(amount: int, currency: str, shown: str) -> None:
    assert total(amount, currency) == shown
