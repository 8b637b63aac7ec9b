"""Pages of a search: best first in the window, then by date, and each match once despite changes."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from operator import attrgetter
from typing import Any

import orjson
import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playhouse.test_utils import assert_query_count

from nexus.db import database
from nexus.models.catalog import SORTS, Product
from nexus.models.search import PLACE, Bounds, Search, SearchText
from nexus.paging import pages
from tests.factories import Person, register

#: Products that match well, less well or not at all, with their times.
ROWS = st.lists(
    st.tuples(st.sampled_from(["курс", "курс курс", "курсы", "набор"]), st.integers(0, 3)), max_size=16
)
TIME = "2026-01-01T00:00:00.00000{}+00"


def offer(seller: Person, rows: Any) -> list[Product]:
    with database.connection_context():
        return [
            Product.written(
                Product.insert(
                    user=seller.id,
                    name=name,
                    description="",
                    price=1,
                    currency="USD",
                    created_at=TIME.format(moment),
                )
            )[0]
            for name, moment in rows
        ]


def fill(seller: Person, count: int, *, every: int) -> None:
    """Insert products a second apart; every `every`th one matches, and older ones match better."""
    with database.connection_context():
        database.execute_sql(
            "INSERT INTO products (user_id, name, description, price, currency, created_at)"
            " SELECT %s, CASE WHEN n %% %s = 0 THEN 'курс' ELSE 'набор' END,"
            " CASE WHEN n %% %s = 0 THEN repeat('курс ', n / 100) ELSE '' END, n, 'USD',"
            " '2026-01-01'::timestamptz - n * interval '1 s' FROM generate_series(1, %s) n",
            (seller.id, every, every, count),
        )
        database.execute_sql("ANALYZE products")


def prices(person: Person, path: str, *, edge: int = 0) -> list[int]:
    """The prices on all pages; a page takes one statement, or two around the edge of the window."""
    found: list[int] = []
    while path:
        with assert_query_count(2 if edge and len(found) in (edge - 200, edge) else 1):
            answer = person.get(path)
        assert answer.status_code == 200, answer.text
        found += [product["price"] for product in answer.get_json()["products"]]
        path = answer.headers.get("Link", "").removeprefix("<").partition(">")[0]
    return found


@pytest.mark.parametrize(("count", "every"), [(2400, 1), (2400, 2), (25_000, 15), (25_000, 21), (30_000, 25)])
def test_the_newest_thousand_matches_are_ranked_and_the_others_sorted_by_date(
    seller: Person, stranger: Person, count: int, every: int
) -> None:
    fill(seller, count, every=every)
    matches = list(range(every, count + 1, every))

    found = prices(stranger, "/api/products?q=курс&limit=200", edge=1000)

    assert sorted(found[:1000]) == matches[:1000]
    assert found[1000:] == matches[1000:]
    assert found[:1000] != matches[:1000]
    assert found[0] > matches[500]


@pytest.mark.parametrize("sort", SORTS)
def test_another_sort_applies_to_all_matches(seller: Person, stranger: Person, sort: str) -> None:
    fill(seller, 60, every=2)

    found = prices(stranger, f"/api/products?q=курс&limit=7&sort={sort}")

    ascending = list(range(2, 61, 2))
    assert sorted(found) == ascending
    if sort in ("price", "-createdAt"):
        assert found == ascending
    if sort in ("-price", "createdAt"):
        assert found == ascending[::-1]


@pytest.mark.parametrize(("every", "common"), [(4000, False), (5, True)])
def test_a_rare_word_uses_the_word_index_and_a_common_one_does_not(
    seller: Person, every: int, *, common: bool
) -> None:
    fill(seller, 30_000, every=every)
    statements: list[Any] = []
    with database.connection_context():
        database.query_hooks.append(lambda event: statements.append((event.sql, event.params)))
        try:
            found = Search(SearchText.parse("курс"), None, {}).best_first(None, 50)
        finally:
            database.query_hooks.pop()
        ((sql, values),) = statements
        explain = database.execute_sql(f"EXPLAIN (ANALYZE, COSTS off, TIMING off) {sql}", values).fetchall()

    # A plain SELECT is retried if its connection turns out to be dead.
    assert sql.startswith("SELECT")
    run = [line for (line,) in explain if "never executed" not in line]
    assert len(found) == min(50, 30_000 // every)
    assert any("Index Scan on products_by_words" in line for line in run) is not common
    # Neither plan does needless work.
    assert not [line for line in run if "rows=20000" in line or "Seq Scan on products" in line]


@pytest.mark.parametrize("forged", range(9))
def test_a_forged_cursor_is_refused(seller: Person, forged: int) -> None:
    fill(seller, 3, every=1)
    path = "/api/products?q=курс&limit=1"
    cursor = seller.get(path).get_json()["nextCursor"]
    digest, edge_at, edge_id, rank, at, last = orjson.loads(urlsafe_b64decode(cursor + "=="))
    parts = [
        [edge_at, None, rank, at, last],
        [None, edge_id, rank, at, last],
        ["", edge_id, rank, at, last],
        [edge_at, edge_id, "1", at, last],
        [edge_at, edge_id, 2**63, at, last],
        [edge_at, edge_id, True, at, last],
        [edge_at, edge_id, rank, None, last],
        [edge_at, edge_id, rank, at, str(last)],
        [edge_at, edge_id, rank, at],
    ][forged]
    text = urlsafe_b64encode(orjson.dumps([digest, *parts])).rstrip(b"=").decode()

    answer = seller.get(f"{path}&cursor={text}")
    assert (answer.status_code, answer.get_json()["errors"][0]["code"]) == (400, "not_a_cursor")
    assert seller.get(f"{path}&cursor={cursor}").status_code == 200


def test_a_cursor_is_valid_only_for_its_search(seller: Person) -> None:
    fill(seller, 3, every=1)
    path = "/api/products?q=курс&limit=1"
    cursor = seller.get(path).get_json()["nextCursor"]

    for other in ("?q=курсы", "?q=курс&minPrice=1", "?q=курс&sort=-createdAt", f"?userId={seller.id}"):
        assert seller.get(f"/api/products{other}&limit=1&cursor={cursor}").status_code == 400
    plain = seller.get(f"/api/products?userId={seller.id}&limit=1").get_json()["nextCursor"]
    assert seller.get(f"{path}&cursor={plain}").status_code == 400


@pytest.fixture
def crowded(app: Flask) -> Person:
    """A seller whose products the next test adds and removes again and again."""
    return register(app, "crowded@example.com")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    rows=ROWS,
    came=ROWS,
    size=st.integers(1, 5),
    limits=st.fixed_dictionaries(
        {
            "window": st.integers(6, 9),
            "sample": st.integers(1, 8),
            "common": st.integers(0, 9),
            "far": st.integers(1, 20),
        }
    ),
    alone=st.sampled_from([True, False]),
    data=st.data(),
)
def test_pages_neither_skip_nor_repeat_matches_during_changes(
    crowded: Person,
    rows: Any,
    came: Any,
    size: int,
    limits: dict[str, int],
    alone: Any,
    data: st.DataObject,
) -> None:
    with database.connection_context():
        Product.delete().execute()
    there = [product.id for product in offer(crowded, rows) if product.name != "набор"]
    gone = set(data.draw(st.lists(st.sampled_from(there), unique=True))) if there else set()
    leaving, coming = list(gone), list(came)

    whose = crowded.id if alone else None
    search = Search(SearchText.parse("курс"), whose, {}, Bounds(**limits))
    seen: list[int] = []
    cursor, read_one = None, False
    while cursor or not read_one:
        with database.connection_context():
            page = pages(
                search.best_first,
                place=attrgetter("place"),
                kinds=PLACE,
                limit=size,
                cursor=cursor,
                bound_to="test",
            )
        seen += [match.product.id for match in page.rows]
        cursor, read_one = page.next_cursor, True
        if coming:
            offer(crowded, [coming.pop()])
        if leaving:
            crowded.delete(f"/api/products/{leaving.pop()}")

    assert len(seen) == len(set(seen))
    assert set(there) - gone <= set(seen)
