"""The constraints that the database itself enforces."""

import pytest
from psycopg2.errors import CheckViolation, UniqueViolation

from nexus.config import Settings
from tests.sql import query


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO products (user_id, name, price, currency) VALUES (1, 'x', -1, 'USD')",
        "INSERT INTO products (user_id, name, price, currency) VALUES (1, 'x', 1, 'usd')",
        "INSERT INTO products (user_id, name, price, currency, status) VALUES (1, 'x', 1, 'USD', 'sold')",
        "INSERT INTO orders (product_name, email, amount, currency) VALUES ('x', 'e', -1, 'USD')",
        "INSERT INTO orders (product_name, email, amount, currency, status) VALUES ('x', 'e', 1, 'USD', 'x')",
    ],
)
def test_check_constraints_refuse_invalid_rows(shop: Settings, sql: str) -> None:
    query(shop, "INSERT INTO users (id, email, password) VALUES (1, 'a', 'x')")

    with pytest.raises(CheckViolation):
        query(shop, sql)


def test_addresses_are_unique_regardless_of_case_and_updated_at_is_maintained(shop: Settings) -> None:
    query(shop, "INSERT INTO users (email, password, updated_at) VALUES ('Иван@a.рф', 'x', '2020-01-01')")

    with pytest.raises(UniqueViolation):
        query(shop, "INSERT INTO users (email, password) VALUES ('иВАН@A.рф', 'x')")
    query(shop, "UPDATE users SET password = 'x'")
    assert query(shop, "SELECT updated_at < now() - interval '1 year' FROM users") == [(True,)]
    query(shop, "UPDATE users SET password = 'y', updated_at = '2020-01-01'")
    assert query(shop, "SELECT updated_at > now() - interval '1 minute' FROM users") == [(True,)]


def test_money_and_ids_have_64_bits(shop: Settings) -> None:
    query(shop, "INSERT INTO users (id, email, password) VALUES (9223372036854775807, 'a', 'x')")
    big = query(
        shop,
        "INSERT INTO orders (product_name, email, amount, currency)"
        " VALUES ('x', 'e', %s, 'USD') RETURNING amount",
        2**63 - 1,
    )

    assert big == [(2**63 - 1,)]
