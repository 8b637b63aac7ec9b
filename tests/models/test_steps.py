"""The allowed status changes of orders, in Python and in the database: both must agree."""

import itertools
from uuid import uuid4

import psycopg2
import pytest
from psycopg2.errors import CheckViolation, IntegrityConstraintViolation

from nexus.config import Settings
from nexus.db import database
from nexus.models.steps import BUYER_STEPS, INITIAL, STEPS, Steps, validate, within
from tests.factories import Person
from tests.sql import query

PLACE = (
    "INSERT INTO orders (id, product_name, email, amount, currency, status)"
    " VALUES (%s, 'x', 'e', 1, 'USD', %s)"
)
EVENTS = 'SELECT "from", "to", actor, request_id FROM order_events WHERE order_id = %s ORDER BY id'


def placed(settings: Settings, status: str = "created") -> str:
    """Insert an order directly, and return its id."""
    order = str(uuid4())
    query(settings, PLACE, order, status)
    return order


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ({"created": ("gone",), "paid": ()}, "not a status"),
        ({"created": (), "paid": (), "lost": ()}, "no order can become lost"),
        ({"created": ("paid",), "paid": ("created",)}, "to an end"),
    ],
)
def test_an_inconsistent_map_of_status_changes_is_refused(steps: Steps, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        validate(steps, initial=INITIAL)


def test_a_buyers_status_changes_are_among_the_allowed_ones() -> None:
    assert within(BUYER_STEPS, STEPS)
    assert not within({"paid": ("cancelled",)}, STEPS)


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(("start", "to"), list(itertools.product(STEPS, STEPS)))
def test_the_database_allows_the_same_status_changes_as_python(
    settings: Settings, start: str, to: str
) -> None:
    order = placed(settings, start)
    (user,) = query(settings, "SELECT session_user::text")[0]
    birth = (None, start, user, None)

    if to == start or to in STEPS[start]:
        query(settings, "UPDATE orders SET status = %s WHERE id = %s", to, order)
        step = [(start, to, user, None)] if to != start else []
        assert query(settings, EVENTS, order) == [birth, *step]
    else:
        with pytest.raises(CheckViolation, match=f"an order cannot go from {start} to {to}"):
            query(settings, "UPDATE orders SET status = %s WHERE id = %s", to, order)
        assert query(settings, EVENTS, order) == [birth]


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE order_events SET actor = 'nobody'",
        "DELETE FROM order_events",
        "TRUNCATE order_events",
        "UPDATE orders SET id = gen_random_uuid()",
    ],
)
def test_events_cannot_be_changed_deleted_or_detached_from_their_order(settings: Settings, sql: str) -> None:
    order = placed(settings)
    before = query(settings, EVENTS, order)

    with pytest.raises(psycopg2.IntegrityError) as refused:
        query(settings, sql)

    assert isinstance(refused.value, IntegrityConstraintViolation) or "order_events" in str(refused.value)
    assert query(settings, EVENTS, order) == before


@pytest.mark.usefixtures("app")
def test_events_are_deleted_with_their_order(settings: Settings) -> None:
    order, other = placed(settings), placed(settings)

    query(settings, "DELETE FROM orders WHERE id = %s", order)

    assert query(settings, EVENTS, order) == []
    assert len(query(settings, EVENTS, other)) == 1


def test_the_actor_of_a_request_does_not_leak_to_the_next_user_of_the_connection(
    settings: Settings, seller: Person
) -> None:
    order = seller.order(seller.product()["id"])
    seller.patch(f"/api/orders/{order['id']}", {"status": "processing"})
    with database.connection_context():
        # The pool hands out the connection that was returned last.
        database.execute_sql("UPDATE orders SET status = 'paid' WHERE id = %s", (order["id"],))

    *_, moved, by_hand = query(settings, EVENTS, order["id"])
    assert moved[2] == "seller"
    assert by_hand == ("processing", "paid", query(settings, "SELECT session_user::text")[0][0], None)
