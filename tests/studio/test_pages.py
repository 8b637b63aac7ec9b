"""What the studio shows: all tables, lists and rows, with few queries and no secrets."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any

import peewee
import pytest
from flask.testing import FlaskClient

from nexus.config import Settings
from nexus.db import database
from nexus.listing.columns import SHOWN
from nexus.models.accounts import Reset
from nexus.models.users import User
from tests.factories import Person
from tests.sql import query

#: The most queries that a page may take.
QUERIES = 5


@contextmanager
def heard() -> Iterator[list[tuple[str, Any]]]:
    """Record the statements that run within the block, with their values."""
    statements: list[tuple[str, Any]] = []

    def note(event: peewee.QueryEvent) -> None:
        statements.append((event.sql, event.params))

    database.query_hooks.append(note)
    try:
        yield statements
    finally:
        database.query_hooks.remove(note)


def text(client: FlaskClient, path: str, status: int = 200) -> str:
    """The HTML of a page."""
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    return answer.text


def keys(page: str, table: str) -> list[str]:
    """The keys of the rows that a page lists, in the order of the page."""
    return re.findall(rf'<tr><td[^>]*><a href="/tables/{table}/([^"]+)"', page)


def link(page: str, label: str) -> str:
    """The URL of the last link with this label."""
    *_, found = re.findall(rf'<a [^>]*?href="([^"]+)"[^>]*>{label}</a>', page)
    return unescape(found)


def test_tables_are_listed_with_estimated_or_counted_rows(reader: FlaskClient, seller: Person) -> None:
    seller.product()

    counts = re.findall(r'<td class="number">([^<]*)</td>', text(reader, "/"))

    assert len(counts) == len(SHOWN)
    assert all(re.fullmatch(r"about [\d ]+|\d+\+?", number) for number in counts)


def test_every_page_takes_few_queries_and_shows_no_secret(reader: FlaskClient, seller: Person) -> None:
    order = seller.order(seller.product()["id"])
    with database.connection_context():
        Reset.make(User.by_id(seller.id).get())
        secrets = [
            value
            for statement in (
                "SELECT password FROM users",
                "SELECT hash FROM refresh_tokens",
                "SELECT hash FROM resets",
                "SELECT hash FROM idempotency_keys",
            )
            for (value,) in database.execute_sql(statement).fetchall()
        ]
    rows = [f"/tables/orders/{order['id']}", f"/tables/users/{seller.id}"]
    rows += [f"/tables/products/{order['productId']}", "/find?q=course", f"/find?q={order['email']}"]

    for path in ["/", *(f"/tables/{name}" for name in SHOWN), *(f"/csv/{name}" for name in SHOWN), *rows]:
        with heard() as queries:
            page = text(reader, path)
        assert len(queries) <= QUERIES, path
        assert len(secrets) >= 3
        assert not [secret for secret in secrets if secret in page], path


def test_an_order_links_to_its_related_rows_and_they_link_back(reader: FlaskClient, seller: Person) -> None:
    product = seller.product(name="A course")
    order = seller.order(product["id"])
    seller.patch(f"/api/orders/{order['id']}", {"status": "paid"})

    page = text(reader, f"/tables/orders/{order['id']}")
    there = text(reader, f"/tables/products/{product['id']}")

    assert f'href="/tables/products/{product["id"]}"' in page
    assert f'href="/tables/users/{seller.id}"' in page
    assert re.findall(r"<td>(created|paid)</td>", page.partition("What happened to it")[2])[-1:] == ["paid"]
    assert keys(text(reader, link(there, "orders")), "orders") == [order["id"]]
    assert text(reader, link(text(reader, f"/tables/users/{seller.id}"), "products")).count("A course") == 1


def test_rows_are_found_by_id_address_and_words(reader: FlaskClient, seller: Person) -> None:
    product = seller.product(name="Watercolours", status="draft")
    order = seller.order(seller.product()["id"], email="Buyer@example.com")

    # The domain is found in both of its forms: in Unicode, as stored here, and in Punycode.
    seller.order(seller.product()["id"], email="anna@пример.рф")
    assert len(keys(text(reader, "/find?q=Anna@xn--e1afmkfd.xn--p1ai"), "orders")) == 1
    for q in (order["id"], "buyer@EXAMPLE.com"):
        assert keys(text(reader, f"/find?q={q}"), "orders") == [order["id"]]
    for q in ("watercolour", str(product["id"])):
        assert str(product["id"]) in keys(text(reader, f"/find?q={q}"), "products")
    assert str(seller.id) in keys(text(reader, "/find?q=seller@example.com"), "users")
    assert "Nothing was found" in text(reader, "/find?q=%00")


@pytest.mark.parametrize("old_id", ["ord_1760000000000", "5f0c8f0e7c534f3e9f0b1d2c3b4a5f60", "1" * 32])
def test_an_order_is_found_by_its_old_id_in_any_format(
    reader: FlaskClient, seller: Person, settings: Settings, old_id: str
) -> None:
    order = seller.order(seller.product()["id"])["id"]
    query(settings, f"UPDATE orders SET old_id = '{old_id}'")

    assert keys(text(reader, f"/find?q={old_id}"), "orders") == [order]


def test_a_filtered_list_can_be_paged_to_its_end_in_both_directions(
    reader: FlaskClient, seller: Person
) -> None:
    for price in [*range(60), *range(55)]:
        seller.product(price=price)
    ids = {"up": [], "down": []}  # type: dict[str, list[str]]

    for order, found in ids.items():
        page = text(reader, f"/tables/products?is.user_id={seller.id}&sort=price&order={order}")
        found += keys(page, "products")
        while "Next page" in page:
            page = text(reader, link(page, "Next page"))
            found += keys(page, "products")
        assert "These are the last rows" in page

    assert len(set(ids["up"])) == 115
    assert ids["up"] == ids["down"][::-1]
    first = text(reader, "/tables/products?sort=price&order=up")
    assert link(first, "price <span.*?</span>").endswith("sort=price&order=down")


def test_orders_filtered_by_status_are_sorted_by_time(reader: FlaskClient, seller: Person) -> None:
    product = seller.product()
    placed = [seller.order(product["id"])["id"] for _ in range(3)]

    assert keys(text(reader, "/tables/orders?is.status=created"), "orders") == placed[::-1]
    assert keys(text(reader, "/tables/orders?is.status=created&order=up"), "orders") == placed


def test_filters_and_sorts_without_an_index_are_refused_with_the_possible_ones(reader: FlaskClient) -> None:
    for asked in ("is.status=paid&is.product_id=1", "is.name=x", "is.product_id=x", "sort=amount"):
        page = text(reader, f"/tables/orders?{asked}", 404)
        assert "<code>status</code> + <code>seller_id</code>" in page
    for path in (
        "/tables/users?is.password=x",
        "/tables/orders?is.created_at=yesterday",
        "/tables/orders?is.created_at=2026-02-30T00:00:00%2B00:00",
        "/tables/orders?is.created_at=0001-01-01T00:00:00%2B23:59",
        "/tables/sessions?is.refreshed_at=9999-12-31T23:59:59-23:59",
        "/tables/products?sort=search",
        "/tables/refresh_tokens?sort=hash",
        # The key of this table has 32 bits.
        "/tables/migratehistory/2147483648",
        "/tables/migratehistory?is.id=-2147483649",
    ):
        text(reader, path, 404)
    for path in ("/tables/buckets/x", "/tables/orders/x", "/tables/pg_class", "/csv/pg_class"):
        text(reader, path, 404)


def test_csv_contains_the_list_with_formulas_escaped(reader: FlaskClient, seller: Person) -> None:
    seller.product(name="=1+1", price=5)
    seller.product(name="plain", price=6)

    answer = reader.get("/csv/products?sort=price&order=up")
    header, *rows = csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"), newline=""))

    assert tuple(header) == SHOWN["products"]
    assert [row[2] for row in rows] == ["'=1+1", "plain"]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="products.csv"'


def test_pages_are_available_in_russian(reader: FlaskClient) -> None:
    page = reader.get("/tables/orders", headers={"Accept-Language": "ru"})

    assert page.headers["Content-Language"] == "ru"
    assert "Фильтровать" in page.text
