"""Each column is explicitly shown or hidden, and filters and sorts are offered only with an index."""

from collections.abc import Iterator

import pytest
from flask import Flask

from nexus.db import database
from nexus.listing.columns import HIDDEN, SHOWN
from nexus.listing.tables import Table, read_tables, undecided


@pytest.fixture
def tables(app: Flask) -> Iterator[dict[str, Table]]:
    """The tables of the test database, on a connection that stays open."""
    with database.connection_context():
        yield read_tables()


def test_every_column_is_classified_as_shown_or_hidden(tables: dict[str, Table]) -> None:
    assert undecided() == [], "decide in nexus/listing/columns.py whether people may see it"


def test_new_columns_and_tables_are_hidden(app: Flask) -> None:
    with database.connection_context(), database.atomic() as attempt:
        database.execute_sql("ALTER TABLE users ADD COLUMN secret text")
        database.execute_sql("CREATE TABLE secrets (id bigint PRIMARY KEY)")
        found, open_questions = read_tables(), undecided()
        attempt.rollback()

    assert [column.name for column in found["users"].columns] == list(SHOWN["users"])
    assert "secrets" not in found
    assert open_questions == ["secrets.id", "users.secret"]


def test_hidden_columns_are_neither_shown_nor_filtered_by(tables: dict[str, Table]) -> None:
    for name, hidden in HIDDEN.items():
        table = tables[name]
        assert not {column.name for column in table.columns} & set(hidden)
        assert not set().union(*table.filters) & set(hidden)
    assert [name for name, table in tables.items() if not table.pageable] == [
        "refresh_tokens",
        "idempotency_keys",
        "buckets",
    ]


def test_filters_and_sorts_are_offered_only_where_an_index_supports_them(tables: dict[str, Table]) -> None:
    orders, products, users = tables["orders"], tables["products"], tables["users"]

    assert not {"amount", "name"} & frozenset().union(*orders.filters)
    assert frozenset(["seller_id", "status"]) in orders.filters
    assert frozenset(["product_id", "status"]) not in orders.filters
    assert not {"status", "email", "seller_id", "old_id"} & set(orders.sorts(frozenset()))
    assert list(orders.sorts(frozenset(["product_id"]))) == ["created_at"]
    assert list(orders.sorts(frozenset(["seller_id"]))) == ["created_at"]
    assert list(products.sorts(frozenset())) == ["created_at", "id", "name", "price", "user_id"]
    assert list(products.sorts(frozenset(["user_id"]))) == ["created_at", "name", "price"]
    assert list(users.sorts(frozenset())) == ["id", "email"]


def test_dropping_an_index_removes_its_sort(app: Flask) -> None:
    with database.connection_context(), database.atomic() as attempt:
        database.execute_sql("DROP INDEX products_by_price")
        found = read_tables()
        attempt.rollback()

    assert "price" not in found["products"].sorts(frozenset())
