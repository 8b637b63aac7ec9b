"""`flask orders`: showing, moving and erasing orders as an operator."""

import json
from collections.abc import Callable

import pytest
from click.testing import Result
from flask import Flask

from nexus.config import Settings
from tests.factories import Person
from tests.sql import query

Run = Callable[..., Result]


@pytest.fixture
def flask(app: Flask) -> Run:
    """Run a `flask` command on the database of the test run."""
    return lambda *words: app.test_cli_runner().invoke(args=["orders", *words])


@pytest.fixture
def order(seller: Person) -> str:
    """The id of an order."""
    return str(seller.order(seller.product()["id"], email="Buyer@example.com", name="Zoë")["id"])


def test_an_order_can_be_moved_and_shown_and_its_events_listed(
    flask: Run, order: str, seller: Person
) -> None:
    moved = flask("move", order, "paid", "--json")
    shown, listed = flask("show", order, "--json"), flask("events", order, "--json")

    assert json.loads(moved.stdout) == json.loads(shown.stdout)
    assert json.loads(shown.stdout)["order"] == seller.get(f"/api/orders/{order}").get_json()["order"]
    events = json.loads(listed.stdout)["events"]
    assert events == seller.get(f"/api/orders/{order}/events").get_json()["events"]
    assert (events[1]["actor"], events[1]["requestId"]) == ("operator", None)
    assert "status       paid\n" in flask("show", order).stdout
    assert "created -> paid          operator\n" in flask("events", order).stdout


def test_control_characters_in_a_buyers_name_are_escaped(flask: Run, seller: Person) -> None:
    name = "\x1b]0;owned\x07\x9b2J\u202eZoë\n"
    order = seller.order(seller.product()["id"], name=name)["id"]

    assert "name         \\x1b]0;owned\\x07\\x9b2J\\u202eZoë\\n\n" in flask("show", order).stdout


def test_control_characters_in_imported_events_are_escaped(
    flask: Run, seller: Person, settings: Settings
) -> None:
    order = seller.order(seller.product()["id"])["id"]
    imported = f"INSERT INTO order_events (order_id, at, \"to\", actor) SELECT '{order}', now(), 'created', "
    query(settings, imported + "E'\\u202eme'")

    assert "\\u202eme\n" in flask("events", order).stdout


def test_unknown_orders_and_refused_moves_are_reported_in_one_line(flask: Run, order: str) -> None:
    for words in (("show", "none"), ("events", "none"), ("move", "none", "paid")):
        run = flask(*words)
        assert (run.exit_code, run.stderr) == (1, "Error: there is no order none\n")
    run = flask("move", order, "refunded")
    assert run.exit_code == 1
    assert run.stderr == "Error: the order cannot become refunded, only: processing, paid, cancelled\n"


def test_erasing_a_buyer_removes_their_data_and_keeps_the_orders(
    flask: Run, order: str, seller: Person
) -> None:
    other = seller.order(seller.product()["id"], email="other@example.com")
    before = seller.get(f"/api/orders/{order}").get_json()["order"]

    assert flask("erase-buyer", "buyer@EXAMPLE.com").exit_code == 1
    assert seller.get(f"/api/orders/{order}").get_json()["order"] == before
    erased = flask("erase-buyer", "buyer@EXAMPLE.com", "--yes")

    assert erased.stdout == "erased the buyer of 1 orders\n"
    after = seller.get(f"/api/orders/{order}").get_json()["order"]
    assert after == {**before, "email": "", "name": None, "updatedAt": after["updatedAt"]}
    assert "name         -\n" in flask("show", order).stdout
    assert seller.get(f"/api/orders/{other['id']}").get_json()["order"] == other
    assert json.loads(flask("erase-buyer", "buyer@example.com", "--yes", "--json").stdout) == {"orders": 0}


def test_a_buyer_is_erased_whatever_the_spelling_of_the_address(flask: Run, seller: Person) -> None:
    seller.order(seller.product()["id"], email="anna@пример.рф")

    erased = flask("erase-buyer", "Anna@xn--e1afmkfd.xn--p1ai", "--yes")

    assert erased.stdout == "erased the buyer of 1 orders\n"
