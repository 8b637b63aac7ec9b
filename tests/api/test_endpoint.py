"""What an endpoint does only once, for speed, makes no difference to any request."""

import gc
from itertools import pairwise
from typing import Any

import pytest
from flask import Flask, Response

from nexus.api.endpoint import reply
from nexus.schemas.catalog import ProductQuery
from tests.factories import Person


def state(response: Response) -> dict[str, Any]:
    """Everything that a response consists of, apart from its body."""
    return {**vars(response), "body": None, "response": None, "headers": [*response.headers]}


@pytest.mark.parametrize("status", [200, 201, 409, 599])
def test_a_json_response_consists_of_what_flask_would_make_it_of(app: Flask, status: int) -> None:
    made, ours = Response([b'{"a":1}'], status, content_type="application/json"), reply({"a": 1}, status)
    assert state(ours) == state(made)
    assert (ours.get_data(), ours.content_length) == (made.get_data(), made.content_length)


def test_json_responses_share_nothing() -> None:
    one, other = reply({}), reply({})
    one.headers["X-Mine"] = "1"
    one.call_on_close(lambda: None)
    one.set_data(b"changed")
    one.status_code = 500
    assert "X-Mine" not in other.headers
    assert (other._on_close, other.get_data(), other.status) == ([], b"{}", "200 OK")
    assert state(reply({})) == state(other)


def test_a_query_means_the_same_however_often_and_in_whatever_order_it_is_sent(seller: Person) -> None:
    for price in (1, 2, 3):
        seller.product(price=price)
    lists = [
        f"/api/products?userId={seller.id}&limit=2",
        f"/api/products?userId={seller.id}&limit=3&sort=price",
        f"/api/products?userId={seller.id}&limit=x",
        f"/api/products?userId={seller.id}&limit=2&limit=2",
        f"/api/products?userId={seller.id}&limit=2&unknown=1",
        "/api/orders?limit=2&status=paid",
        f"/api/products?userId={seller.id}&limit=2&status=paid",
        "/api/products/1?limit=2",
    ]

    def answers(paths: list[str]) -> dict[str, Any]:
        found = {path: seller.get(path) for path in paths}
        return {
            path: (answer.status_code, {**answer.get_json(), "requestId": None})
            for path, answer in found.items()
        }

    first = answers(lists)
    assert {status for status, _ in first.values()} == {200, 400}
    assert answers(lists[::-1]) == answers([*lists, *lists]) == first
    assert all(first[one] != first[other] for one, other in pairwise(lists))


def test_long_queries_are_not_kept(stranger: Person) -> None:
    for number in range(3):
        assert stranger.get(f"/api/products?q={number}{'+word' * 60}").status_code == 200
    gc.collect()
    kept = [one.q for one in gc.get_objects() if type(one) is ProductQuery and one.q and len(one.q) > 256]
    assert kept == []


@pytest.mark.parametrize(
    ("length", "code"),
    [
        ("2", "validation_failed"),
        ("3", "broken_json"),
        ("1000000", "body_too_large"),
        # As Werkzeug reads them: no length, so no body.
        ("²", "validation_failed"),
        ("9" * 5000, "validation_failed"),
    ],
)
def test_whatever_a_body_is_said_to_measure_the_request_is_answered(
    app: Flask, length: str, code: str
) -> None:
    said = {"CONTENT_LENGTH": length}
    answer = app.test_client().post("/api/auth/login", json={}, environ_overrides=said)

    assert answer.get_json()["code"] == code
