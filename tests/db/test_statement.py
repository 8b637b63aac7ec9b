"""Statements that are built once, and how connections prepare them."""

from collections.abc import Iterator
from typing import Any

import peewee
import pytest
from flask import Flask
from peewee import fn

from nexus.config import Settings
from nexus.db import connection, database
from nexus.db.statement import Statement
from nexus.models.catalog import Product
from tests.factories import Person
from tests.sql import query


def select(number: int) -> Any:
    return peewee.Select(columns=[peewee.Value(number).alias("value")])


PREPARED = "SELECT count(*) FROM pg_prepared_statements"


@pytest.fixture
def product(app: Flask, seller: Person) -> dict[str, Any]:
    """A product on sale."""
    offered: dict[str, Any] = seller.post("/api/products", {"name": "Набор иконок", "price": 990}).get_json()
    return offered["product"]  # type: ignore[no-any-return]


@pytest.fixture
def fresh(app: Flask, product: Any) -> Iterator[None]:
    """A connection without prepared statements."""
    database.close_idle()
    with database.connection_context():
        if database.connection().prepared is None:
            pytest.skip("through a pooler nothing is prepared")
        yield


@pytest.fixture
def sent(fresh: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that the connection has run."""
    statements: list[str] = []
    execute_plain = connection.execute_plain

    def recording(cursor: Any, text: Any, values: Any = None) -> None:
        statements.append(str(text))
        execute_plain(cursor, text, values)

    monkeypatch.setattr(connection, "execute_plain", recording)
    return statements


def test_a_statement_is_built_once_per_constant_and_combination_of_nulls(fresh: None) -> None:
    built: list[tuple[Any, ...]] = []

    def build(what: str, *, one: Any, other: Any) -> Any:
        built.append((what, one is None, other is None))
        return peewee.Select(
            columns=[peewee.Value(what).alias("what"), fn.coalesce(one, other, 0).alias("value")]
        )

    run = Statement(database, build, prepared=True)
    values = [(1, 2), (3, 4), (None, 5), (None, 6), (None, None)]

    assert [run("x", one=one, other=other)[0].value for one, other in values] == [1, 3, 5, 6, 0]
    assert run("y", one=7, other=None)[0] == ("y", 7)
    assert built == [("x", False, False), ("x", True, False), ("x", True, True), ("y", False, True)]


@pytest.mark.parametrize("text", ["", "'", "''", "\\", "%", "%%", "%s", "%(value)s", "ß; --", "Здравствуйте"])
def test_constants_and_values_are_passed_unchanged(fresh: None, text: str) -> None:
    def build(*, value: Any) -> Any:
        constant = peewee.Value(text)
        both = value.cast("text").concat(constant)
        return peewee.Select(columns=[constant.alias("constant"), both.alias("both")])

    run = Statement(database, build, prepared=True)
    for _ in range(2):
        assert run(value=text) == [(text, text + text)]


def test_a_connection_prepares_a_statement_once(sent: list[str]) -> None:
    del sent[:]
    for _ in range(3):
        Product.shown(1, viewer=None)

    (name,) = {text.split()[1] for text in sent}
    assert [text.split()[0] for text in sent] == ["PREPARE", "EXECUTE", "EXECUTE", "EXECUTE"]
    assert database.execute_sql("SELECT name FROM pg_prepared_statements").fetchall() == [(name,)]


def test_a_statement_marked_as_unprepared_is_never_prepared(sent: list[str]) -> None:
    run = Statement(database, select, prepared=False)

    assert [run(number)[0].value for number in (1, 1)] == [1, 1]
    assert [text.split()[0] for text in sent] == ["SELECT", "SELECT"]


def test_statements_beyond_the_limit_run_unprepared(sent: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PREPARED", 2)
    run = Statement(database, select, prepared=True)

    assert [run(number)[0].value for number in (1, 2, 3, 3, 1)] == [1, 2, 3, 3, 1]
    assert [text.split()[0] for text in sent] == ["PREPARE", "EXECUTE"] * 2 + ["SELECT", "SELECT", "EXECUTE"]


def test_a_deallocated_statement_runs_unprepared(fresh: None, product: dict[str, Any]) -> None:
    for _ in range(2):
        assert Product.shown(product["id"], viewer=None).price == 990
        database.execute_sql("DEALLOCATE ALL")
    assert Product.shown(product["id"], viewer=None).price == 990

    assert database.execute_sql(PREPARED).fetchone() == (0,)


def test_a_deallocated_statement_fails_only_one_transaction(fresh: None, product: dict[str, Any]) -> None:
    assert Product.shown(product["id"], viewer=None).price == 990
    database.execute_sql("DEALLOCATE ALL")

    with pytest.raises(peewee.OperationalError, match="prepared statement"), database.atomic():
        Product.shown(product["id"], viewer=None)
    with database.atomic():
        assert Product.shown(product["id"], viewer=None).price == 990


def test_a_changed_column_type_does_not_break_reads(
    fresh: None, product: dict[str, Any], settings: Settings
) -> None:
    assert Product.shown(product["id"], viewer=None).price == 990
    query(settings, "ALTER TABLE products ALTER price TYPE integer")
    try:
        assert Product.shown(product["id"], viewer=None).price == 990
    finally:
        query(settings, "ALTER TABLE products ALTER price TYPE bigint")
    assert Product.shown(product["id"], viewer=None).price == 990


def test_an_id_beyond_64_bits_finds_nothing(fresh: None, product: dict[str, Any]) -> None:
    for _ in range(2):
        assert Product.shown(2**63, viewer=None) is None
    assert Product.shown(product["id"], viewer=None).price == 990

    assert database.execute_sql(PREPARED).fetchone() == (1,)
