"""Receipts: what a buyer can see and do with one, which ones are invalid, and that none is logged."""

import hmac
import logging
from base64 import urlsafe_b64encode
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st
from playhouse.test_utils import assert_query_count

from nexus import create_app
from nexus.config import Settings
from nexus.db import database
from nexus.models.orders import Order
from tests.events import events
from tests.factories import PASSWORD, Person

NOWHERE = "00000000-0000-4000-8000-000000000000"


def bought(stranger: Person, product_id: int) -> tuple[dict[str, Any], str]:
    """Place an order, and return it with its receipt."""
    answer = stranger.post("/api/orders", {"productId": product_id, "email": "buyer@example.com"})
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.get_json()["order"], answer.get_json()["receiptToken"]


def presented(receipt: str) -> dict[str, Any]:
    """The options that present a receipt in a header."""
    return {"headers": {"Authorization": f"Receipt {receipt}"}}


def test_a_buyer_sees_the_order_its_product_and_its_events(seller: Person, stranger: Person) -> None:
    product = seller.product()
    order, receipt = bought(stranger, product["id"])
    path = f"/api/orders/{order['id']}"

    with assert_query_count(1):
        answer = stranger.get(path, **presented(receipt))
    assert answer.get_json() == {"order": order, "product": product}
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    for name in ("receipt", "%72eceipt"):
        linked = stranger.get(f"{path}?{name}={receipt}")
        assert (linked.get_json(), linked.headers["Cache-Control"]) == (answer.get_json(), "no-store")
        assert linked.headers["Referrer-Policy"] == "no-referrer"
    with assert_query_count(1):
        events = stranger.get(f"{path}/events", **presented(receipt)).get_json()["events"]
    assert [(event["from"], event["to"], event["actor"]) for event in events] == [(None, "created", "buyer")]


def test_a_buyer_can_only_cancel_and_only_while_that_is_allowed(seller: Person, stranger: Person) -> None:
    product = seller.product()["id"]
    order, receipt = bought(stranger, product)
    path = f"/api/orders/{order['id']}"

    paid = stranger.patch(path, {"status": "paid"}, **presented(receipt))
    assert (paid.status_code, paid.get_json()["allowed"]) == (409, ["cancelled"])
    with assert_query_count(1):
        cancelled = stranger.patch(f"{path}?receipt={receipt}", {"status": "cancelled"})
    assert cancelled.get_json()["order"]["status"] == "cancelled"
    assert stranger.patch(path, {"status": "cancelled"}, **presented(receipt)).status_code == 200
    events = seller.get(f"{path}/events").get_json()["events"]
    assert [(event["to"], event["actor"]) for event in events] == [
        ("created", "buyer"),
        ("cancelled", "buyer"),
    ]

    order, receipt = bought(stranger, product)
    path = f"/api/orders/{order['id']}"
    seller.patch(path, {"status": "processing"})
    seller.patch(path, {"status": "paid"})
    late = stranger.patch(path, {"status": "cancelled"}, **presented(receipt))
    assert (late.status_code, late.get_json()["allowed"]) == (409, [])


def test_a_buyer_can_cancel_an_order_in_processing(seller: Person, stranger: Person) -> None:
    order, receipt = bought(stranger, seller.product()["id"])
    path = f"/api/orders/{order['id']}"
    seller.patch(path, {"status": "processing"})

    assert stranger.patch(path, {"status": "cancelled"}, **presented(receipt)).status_code == 200


def test_whoever_presents_a_receipt_acts_as_the_buyer(
    seller: Person, rival: Person, stranger: Person
) -> None:
    order, receipt = bought(stranger, seller.product()["id"])
    path = f"/api/orders/{order['id']}?receipt={receipt}"

    # As the seller they could set it to `paid`.
    assert seller.patch(path, {"status": "paid"}).get_json()["allowed"] == ["cancelled"]
    assert rival.get(path).status_code == 200
    assert seller.get(path.replace(receipt, "wrong")).status_code == 404
    # An invalid bearer token is a 401 everywhere.
    assert Person(rival.http.application, token="none").get(path).status_code == 401
    # A missing field is reported before the order is looked up.
    assert stranger.patch(path, {}).status_code == 400


def test_an_invalid_receipt_finds_nothing(seller: Person, stranger: Person) -> None:
    product = seller.product()["id"]
    (order, receipt), (_, foreign) = bought(stranger, product), bought(stranger, product)
    path = f"/api/orders/{order['id']}"

    outcomes = set()
    for wrong in (
        foreign,
        receipt[:-1],
        receipt + "A",
        receipt + "=",
        receipt.swapcase(),
        "",
        "é",
        "x" * 9000,
    ):
        for send in ({"query_string": {"receipt": wrong}}, presented(wrong.encode().decode("latin-1"))):
            for answer in (
                stranger.get(path, **send),
                stranger.get(f"{path}/events", **send),
                stranger.patch(path, {"status": "cancelled"}, **send),
            ):
                outcomes.add((answer.status_code, answer.get_json()["code"]))
                assert answer.headers["Cache-Control"] == "no-store"
    for nowhere in (NOWHERE, "none"):
        answer = stranger.get(f"/api/orders/{nowhere}", **presented(receipt))
        outcomes.add((answer.status_code, answer.get_json()["code"]))
    assert outcomes == {(404, "not_found")}
    assert stranger.get(path).status_code == 404
    assert seller.get(path).get_json()["order"]["status"] == "created"


def test_a_signature_of_the_bare_order_id_is_not_a_receipt(
    settings: Settings, seller: Person, stranger: Person
) -> None:
    order, _ = bought(stranger, seller.product()["id"])
    signature = hmac.digest(settings.receipt_keys[0].encode(), UUID(order["id"]).bytes, "sha256")
    receipt = urlsafe_b64encode(signature).rstrip(b"=").decode()

    assert stranger.get(f"/api/orders/{order['id']}", **presented(receipt)).status_code == 404


@trials(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(text=st.text(max_size=60))
def test_arbitrary_text_is_not_a_receipt(app: Flask, text: str) -> None:
    answer = Person(app).get(f"/api/orders/{NOWHERE}", query_string={"receipt": text})

    assert answer.status_code == 404


def test_a_seller_can_reissue_a_receipt_even_of_an_imported_order(
    seller: Person, rival: Person, stranger: Person
) -> None:
    order, receipt = bought(stranger, seller.product()["id"])
    with database.connection_context():
        Order.update(old_id="ord_1760000000000").where(Order.id == order["id"]).execute()

    with assert_query_count(2):
        issued = seller.post("/api/orders/ord_1760000000000/receipt")
    assert issued.get_json() == {"receiptToken": receipt}
    assert issued.headers["Cache-Control"] == "no-store"
    assert seller.post(f"/api/orders/{order['id']}/receipt").get_json() == {"receiptToken": receipt}
    with assert_query_count(2):
        found = stranger.get("/api/orders/ord_1760000000000", **presented(receipt))
    assert found.get_json()["order"]["id"] == order["id"]
    assert rival.post(f"/api/orders/{order['id']}/receipt").status_code == 404
    assert stranger.post(f"/api/orders/{order['id']}/receipt").status_code == 401
    # Whoever presents a receipt is not the seller, and cannot issue one.
    assert stranger.post(f"/api/orders/{order['id']}/receipt", **presented(receipt)).status_code == 401


def test_a_receipt_outlives_the_product_and_the_seller(seller: Person, stranger: Person) -> None:
    product = seller.product(name="Gone")["id"]
    order, receipt = bought(stranger, product)
    path = f"/api/orders/{order['id']}"

    seller.patch(f"/api/products/{product}", {"status": "draft"})
    hidden = stranger.get(path, **presented(receipt)).get_json()
    assert (hidden["order"]["productName"], hidden["product"]) == ("Gone", None)
    assert seller.get(path).get_json()["product"]["status"] == "draft"

    seller.delete(f"/api/products/{product}")
    left = stranger.get(path, **presented(receipt)).get_json()
    assert (left["order"]["productName"], left["product"]) == ("Gone", None)
    assert stranger.patch(path, {"status": "cancelled"}, **presented(receipt)).status_code == 200

    assert seller.delete("/api/auth/me", json={"password": PASSWORD}).status_code == 204
    assert stranger.get(path, **presented(receipt)).get_json()["order"]["status"] == "cancelled"
    events = stranger.get(f"{path}/events", **presented(receipt)).get_json()["events"]
    assert [event["to"] for event in events] == ["created", "cancelled"]
    assert stranger.patch(path, {"status": "paid"}, **presented(receipt)).status_code == 409


def test_receipt_keys_can_be_rotated_and_are_separate_from_token_keys(
    app: Flask, settings: Settings, seller: Person, stranger: Person
) -> None:
    order, receipt = bought(stranger, seller.product()["id"])
    path, new, old = f"/api/orders/{order['id']}", "n3w-" * 12, settings.receipt_secret_key

    def under(**changes: str) -> Person:
        return Person(create_app(settings.model_copy(update=changes)))

    both = under(receipt_secret_key=f"{new}, {old}")
    assert both.get(path, **presented(receipt)).status_code == 200
    newer = bought(both, order["productId"])
    assert stranger.get(f"/api/orders/{newer[0]['id']}", **presented(newer[1])).status_code == 404
    alone = under(receipt_secret_key=new)
    assert alone.get(path, **presented(receipt)).status_code == 404
    assert alone.get(f"/api/orders/{newer[0]['id']}", **presented(newer[1])).status_code == 200
    assert under(jwt_secret_key=new).get(path, **presented(receipt)).status_code == 200
    assert (
        under(receipt_secret_key=settings.jwt_secret_key).get(path, **presented(receipt)).status_code == 404
    )


def test_receipts_are_not_logged(seller: Person, stranger: Person, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        order, receipt = bought(stranger, seller.product()["id"])
        path = f"/api/orders/{order['id']}"
        stranger.get(f"{path}?receipt={receipt}")
        stranger.get(f"{path}/events", **presented(receipt))
        stranger.patch(path, {"status": "cancelled"}, **presented(receipt))
        seller.post(f"{path}/receipt")
        for server in ("gunicorn.error", "werkzeug"):
            log = logging.getLogger(server)
            log.warning("Invalid request line: 'GET %s?email=a@b.c&receipt=%s HTP/1.1'", path, receipt)
            log.warning('"%s" %s %s', f"GET {path}?email=a@b.c&receipt={receipt} HTTP/1.1", 200, "-")
            log.warning('"%s" %s %s', f"POST {path}/receipt HTTP/1.1", 200, "-")

    asked = [(line["method"], line["route"], line["status"]) for line in events(caplog, "nexus.request")]
    assert ("GET", "/api/orders/<reference:order_id>", 200) in asked
    assert f'"GET {path}(hidden) HTTP/1.1" 200 -' in caplog.text
    assert f'"POST {path}/receipt HTTP/1.1" 200 -' in caplog.text
    assert receipt not in caplog.text
    assert "a@b.c" not in caplog.text
