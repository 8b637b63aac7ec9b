"""Lists of products: every sort and filter, complete pages in both directions, and an index for each."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson
import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playhouse.test_utils import assert_query_count

from nexus.db import database
from nexus.models.catalog import SORTS, Product
from tests.factories import Person, register

NAMES = ["", "a", "A", "b", "B", "ё", "е", "Ж", "é", "z", "\u0001", "\U0001f389", "x" * 300]
ROWS = st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 3), st.integers(0, 3)), max_size=12)


def offer(seller: Person, rows: Any) -> list[int]:
    with database.connection_context():
        return [
            Product.written(
                Product.insert(
                    user=seller.id,
                    name=name,
                    price=price,
                    currency="USD",
                    created_at=f"2026-01-01T00:00:00.00000{moment}+00",
                )
            )[0].id
            for name, price, moment in rows
        ]


def ids(answer: Any) -> list[int]:
    return [product["id"] for product in answer.get_json()["products"]]


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("createdAt", ["б", "a", "Z", "А", "ё"]),
        ("-createdAt", ["ё", "А", "Z", "a", "б"]),
        ("price", ["ё", "А", "Z", "a", "б"]),
        ("-price", ["б", "a", "Z", "А", "ё"]),
        ("name", ["a", "Z", "А", "б", "ё"]),
        ("-name", ["ё", "б", "А", "Z", "a"]),
    ],
)
def test_products_are_sorted_as_requested(seller: Person, sort: str, names: list[str]) -> None:
    for number, name in enumerate(["б", "a", "Z", "А", "ё"]):
        seller.product(name=name, price=10 - number)

    with assert_query_count(2):
        answer = seller.get(f"/api/products?userId={seller.id}&sort={sort}")

    assert [product["name"] for product in answer.get_json()["products"]] == names


def test_the_price_range_includes_both_ends(seller: Person) -> None:
    made = [seller.product(price=price)["id"] for price in (1, 2, 3, 4)]
    path = f"/api/products?userId={seller.id}&sort=price"

    assert ids(seller.get(f"{path}&minPrice=2&maxPrice=3")) == made[1:3]
    assert ids(seller.get(f"{path}&minPrice=4")) == made[3:]
    assert ids(seller.get(f"{path}&minPrice=3&maxPrice=2")) == []


@pytest.mark.parametrize(
    "wrong", ["sort=id", "sort=", "minPrice=-1", "maxPrice=1.5", "limit=0", "limit=201", f"maxPrice={2**63}"]
)
def test_an_invalid_sort_filter_or_limit_is_refused(seller: Person, wrong: str) -> None:
    answer = seller.get(f"/api/products?userId={seller.id}&{wrong}")

    assert (answer.status_code, answer.get_json()["code"]) == (400, "validation_failed")


@pytest.mark.parametrize("sort", SORTS)
def test_a_cursor_is_valid_only_for_its_sort_and_filter(seller: Person, sort: str) -> None:
    offer(seller, [("a", 1, 1)] * 3)
    path = f"/api/products?userId={seller.id}&limit=1&sort={sort}"
    cursor = seller.get(path).get_json()["nextCursor"]

    assert seller.get(f"{path}&cursor={cursor}").status_code == 200
    elsewhere = "price" if sort == "name" else "name"
    for other in (f"{path}&minPrice=1", f"/api/products?userId={seller.id}&sort={elsewhere}"):
        assert seller.get(f"{other}&cursor={cursor}").status_code == 400


@pytest.mark.parametrize(
    ("sort", "value"),
    [("price", "1"), ("price", 2**63), ("price", True), ("name", 1), ("name", "\0"), ("createdAt", 1)],
)
def test_a_forged_cursor_is_refused(seller: Person, sort: str, value: Any) -> None:
    offer(seller, [("a", 1, 1)] * 2)
    path = f"/api/products?userId={seller.id}&limit=1&sort={sort}"
    digest, _, last = orjson.loads(urlsafe_b64decode(seller.get(path).get_json()["nextCursor"] + "=="))
    forged = urlsafe_b64encode(orjson.dumps([digest, value, last])).rstrip(b"=").decode()

    assert seller.get(f"{path}&cursor={forged}").status_code == 400


@pytest.fixture
def crowded(app: Flask) -> Person:
    """A seller whose products the next test adds and removes again and again."""
    return register(app, "crowded@example.com")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(rows=ROWS, came=ROWS, sort=st.sampled_from(list(SORTS)), size=st.integers(1, 5), data=st.data())
def test_pages_neither_skip_nor_repeat_products_during_changes(
    crowded: Person, rows: Any, came: Any, sort: str, size: int, data: st.DataObject
) -> None:
    with database.connection_context():
        Product.delete().execute()
    there = offer(crowded, rows)
    gone = set(data.draw(st.lists(st.sampled_from(there), unique=True))) if there else set()
    leaving = list(gone)
    coming = list(came)

    seen: list[int] = []
    path = f"/api/products?userId={crowded.id}&limit={size}&sort={sort}"
    while path:
        answer = crowded.get(path)
        seen += ids(answer)
        path = answer.headers.get("Link", "").removeprefix("<").partition(">")[0]
        if coming:
            offer(crowded, [coming.pop()])
        if leaving:
            crowded.delete(f"/api/products/{leaving.pop()}")

    assert len(seen) == len(set(seen))
    assert set(there) - gone <= set(seen)


@pytest.mark.parametrize("sort", SORTS)
def test_a_later_page_of_every_sort_is_read_from_an_index(seller: Person, rival: Person, sort: str) -> None:
    by = SORTS[sort]
    with database.connection_context():
        database.execute_sql(
            "INSERT INTO products (user_id, name, price, currency, created_at)"
            " SELECT CASE n %% 6 WHEN 0 THEN %s ELSE %s END, 'n' || n, n, 'USD', now() - n * interval '1 s'"
            " FROM generate_series(1, 6000) n",
            (rival.id, seller.id),
        )
        database.execute_sql("ANALYZE products")
        middle = Product.sorted_by(by, user_id=seller.id, viewer_id=None).offset(2500).first()
        at = by.compared(by.position(middle))
        after = (by.value >= at) if by.ascending else (by.value <= at)
        query = Product.sorted_by(by, user_id=seller.id, viewer_id=None).where(after).limit(20)
        sql, values = query.sql()
        plan = "\n".join(line for (line,) in database.execute_sql(f"EXPLAIN {sql}", values).fetchall())

    assert "Index Scan" in plan
    assert "Sort" not in plan
    assert "Seq Scan" not in plan
    assert plan.partition("Index Cond:")[2].partition("\n")[0].count("AND") == 1
