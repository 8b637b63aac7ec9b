"""Receipts: what a buyer sees and does by one, what passes for none, and that no log has one."""

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
    """An order and its receipt."""
    answer = stranger.post("/api/orders", {"productId": product_id, "email": "buyer@example.com"})
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.get_json()["order"], answer.get_json()["receiptToken"]


def shown(receipt: str) -> dict[str, Any]:
    """How a receipt is shown in a header."""
    return {"headers": {"Authorization": f"Receipt {receipt}"}}


def test_a_buyer_sees_the_order_its_product_and_its_events(seller: Person, stranger: Person) -> None:
    product = seller.product()
    order, receipt = bought(stranger, product["id"])
    path = f"/api/orders/{order['id']}"

    with assert_query_count(1):
        answer = stranger.get(path, **shown(receipt))
    assert answer.get_json() == {"order": order, "product": product}
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    linked = stranger.get(path, query_string={"receipt": receipt})
    assert (linked.get_json(), linked.headers["Cache-Control"]) == (answer.get_json(), "no-store")
    assert linked.headers["Referrer-Policy"] == "no-referrer"
    with assert_query_count(1):
        events = stranger.get(f"{path}/events", **shown(receipt)).get_json()["events"]
    assert [(event["from"], event["to"], event["actor"]) for event in events] == [(None, "created", "buyer")]


def test_a_buyer_cancels_while_that_is_allowed_and_does_nothing_else(
    seller: Person, stranger: Person
) -> None:
    product = seller.product()["id"]
    order, receipt = bought(stranger, product)
    path = f"/api/orders/{order['id']}"

    paid = stranger.patch(path, {"status": "paid"}, **shown(receipt))
    assert (paid.status_code, paid.get_json()["allowed"]) == (409, ["cancelled"])
    with assert_query_count(1):
        cancelled = stranger.patch(f"{path}?receipt={receipt}", {"status": "cancelled"})
    assert cancelled.get_json()["order"]["status"] == "cancelled"
    assert stranger.patch(path, {"status": "cancelled"}, **shown(receipt)).status_code == 200
    events = seller.get(f"{path}/events").get_json()["events"]
    assert [(event["to"], event["actor"]) for event in events] == [
        ("created", "buyer"),
        ("cancelled", "buyer"),
    ]

    order, receipt = bought(stranger, product)
    path = f"/api/orders/{order['id']}"
    seller.patch(path, {"status": "processing"})
    seller.patch(path, {"status": "paid"})
    late = stranger.patch(path, {"status": "cancelled"}, **shown(receipt))
    assert (late.status_code, late.get_json()["allowed"]) == (409, [])


def test_a_buyer_cancels_an_order_that_is_being_processed(seller: Person, stranger: Person) -> None:
    order, receipt = bought(stranger, seller.product()["id"])
    path = f"/api/orders/{order['id']}"
    seller.patch(path, {"status": "processing"})

    assert stranger.patch(path, {"status": "cancelled"}, **shown(receipt)).status_code == 200


def test_whoever_shows_a_receipt_is_the_buyer(seller: Person, rival: Person, stranger: Person) -> None:
    order, receipt = bought(stranger, seller.product()["id"])
    path = f"/api/orders/{order['id']}?receipt={receipt}"

    # As the seller they could take it to `paid`.
    assert seller.patch(path, {"status": "paid"}).get_json()["allowed"] == ["cancelled"]
    assert rival.get(path).status_code == 200
    assert seller.get(path.replace(receipt, "wrong")).status_code == 404
    # A Bearer that is not valid is a 401 everywhere.
    assert Person(rival.http.application, token="none").get(path).status_code == 401
    # What the body lacks is told before the order is looked for.
    assert stranger.patch(path, {}).status_code == 400


def test_what_is_no_receipt_of_this_order_finds_nothing(seller: Person, stranger: Person) -> None:
    product = seller.product()["id"]
    (order, receipt), (_, foreign) = bought(stranger, product), bought(stranger, product)
    path = f"/api/orders/{order['id']}"

    told = set()
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
        for send in ({"query_string": {"receipt": wrong}}, shown(wrong.encode().decode("latin-1"))):
            for answer in (
                stranger.get(path, **send),
                stranger.get(f"{path}/events", **send),
                stranger.patch(path, {"status": "cancelled"}, **send),
            ):
                told.add((answer.status_code, answer.get_json()["code"]))
                assert answer.headers["Cache-Control"] == "no-store"
    for nowhere in (NOWHERE, "none"):
        answer = stranger.get(f"/api/orders/{nowhere}", **shown(receipt))
        told.add((answer.status_code, answer.get_json()["code"]))
    assert told == {(404, "not_found")}
    assert stranger.get(path).status_code == 404
    assert seller.get(path).get_json()["order"]["status"] == "created"


def test_a_signature_that_does_not_say_that_it_is_a_receipt_is_none(
    settings: Settings, seller: Person, stranger: Person
) -> None:
    order, _ = bought(stranger, seller.product()["id"])
    signature = hmac.digest(settings.receipt_keys[0].encode(), UUID(order["id"]).bytes, "sha256")
    receipt = urlsafe_b64encode(signature).rstrip(b"=").decode()

    assert stranger.get(f"/api/orders/{order['id']}", **shown(receipt)).status_code == 404


@trials(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(text=st.text(max_size=60))
def test_no_text_passes_for_a_receipt(app: Flask, text: str) -> None:
    answer = Person(app).get(f"/api/orders/{NOWHERE}", query_string={"receipt": text})

    assert answer.status_code == 404


def test_a_seller_issues_a_receipt_again_of_imported_orders_too(
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
        found = stranger.get("/api/orders/ord_1760000000000", **shown(receipt))
    assert found.get_json()["order"]["id"] == order["id"]
    assert rival.post(f"/api/orders/{order['id']}/receipt").status_code == 404
    assert stranger.post(f"/api/orders/{order['id']}/receipt").status_code == 401
    # Who shows a receipt is no seller, and issues none.
    assert stranger.post(f"/api/orders/{order['id']}/receipt", **shown(receipt)).status_code == 401


def test_a_receipt_outlives_the_product_and_the_seller(seller: Person, stranger: Person) -> None:
    product = seller.product(name="Gone")["id"]
    order, receipt = bought(stranger, product)
    path = f"/api/orders/{order['id']}"

    seller.patch(f"/api/products/{product}", {"status": "draft"})
    hidden = stranger.get(path, **shown(receipt)).get_json()
    assert (hidden["order"]["productName"], hidden["product"]) == ("Gone", None)
    assert seller.get(path).get_json()["product"]["status"] == "draft"

    seller.delete(f"/api/products/{product}")
    left = stranger.get(path, **shown(receipt)).get_json()
    assert (left["order"]["productName"], left["product"]) == ("Gone", None)
    assert stranger.patch(path, {"status": "cancelled"}, **shown(receipt)).status_code == 200

    assert seller.delete("/api/auth/me", json={"password": PASSWORD}).status_code == 204
    assert stranger.get(path, **shown(receipt)).get_json()["order"]["status"] == "cancelled"
    events = stranger.get(f"{path}/events", **shown(receipt)).get_json()["events"]
    assert [event["to"] for event in events] == ["created", "cancelled"]
    assert stranger.patch(path, {"status": "paid"}, **shown(receipt)).status_code == 409


def test_keys_are_replaced_and_access_tokens_have_their_own(
    app: Flask, settings: Settings, seller: Person, stranger: Person
) -> None:
    order, receipt = bought(stranger, seller.product()["id"])
    path, new, old = f"/api/orders/{order['id']}", "n3w-" * 12, settings.receipt_secret_key

    def under(**changes: str) -> Person:
        return Person(create_app(settings.model_copy(update=changes)))

    both = under(receipt_secret_key=f"{new}, {old}")
    assert both.get(path, **shown(receipt)).status_code == 200
    newer = bought(both, order["productId"])
    assert stranger.get(f"/api/orders/{newer[0]['id']}", **shown(newer[1])).status_code == 404
    alone = under(receipt_secret_key=new)
    assert alone.get(path, **shown(receipt)).status_code == 404
    assert alone.get(f"/api/orders/{newer[0]['id']}", **shown(newer[1])).status_code == 200
    assert under(jwt_secret_key=new).get(path, **shown(receipt)).status_code == 200
    assert under(receipt_secret_key=settings.jwt_secret_key).get(path, **shown(receipt)).status_code == 404


def test_the_log_has_no_receipt(seller: Person, stranger: Person, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        order, receipt = bought(stranger, seller.product()["id"])
        path = f"/api/orders/{order['id']}"
        stranger.get(f"{path}?receipt={receipt}")
        stranger.get(f"{path}/events", **shown(receipt))
        stranger.patch(path, {"status": "cancelled"}, **shown(receipt))
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
