"""The product and order calls of the API: every response and error, and how many queries each takes.

Messages, fields and races are tested elsewhere; this checks that no declared error is left out.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from flask import Flask
from playhouse.test_utils import assert_query_count

from nexus.db import database
from nexus.models.orders import Order
from tests.factories import Person

NOWHERE = "00000000-0000-4000-8000-000000000000"
UNKNOWN = 2**63 - 1


@dataclass
class Shop:
    """A product and a draft of one seller, an order for the product with its receipt, and the callers."""

    seller: Person
    rival: Person
    stranger: Person
    buyer: Person
    seller_id: int
    product: int
    draft: int
    order: str
    cursor: str

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


def make_shop(seller: Person, rival: Person, stranger: Person) -> Shop:
    """Make another product, another draft, and two orders, one of them with an old id."""
    product, draft = seller.product()["id"], seller.product(status="draft")["id"]
    placed = stranger.post("/api/orders", {"productId": product, "email": "b@example.com"}).get_json()
    order = placed["order"]["id"]
    with database.connection_context():
        Order.update(old_id=None).where(Order.old_id == "old-1").execute()
        Order.update(old_id="old-1").where(Order.id == order).execute()
    stranger.order(product)
    cursor = seller.get("/api/orders?limit=1").get_json()["nextCursor"]
    buyer = Person(stranger.http.application)
    buyer.http.environ_base["HTTP_AUTHORIZATION"] = f"Receipt {placed['receiptToken']}"
    return Shop(seller, rival, stranger, buyer, seller.id, product, draft, order, cursor)


class Call(NamedTuple):
    """A call and what to expect: the caller and input, the status, the error code, and the queries."""

    method: str
    path: str
    who: str
    status: int
    code: str | None
    queries: int
    body: Any = None
    headers: dict[str, str] = {}  # noqa: RUF012


NEW = {"name": "Course", "price": 1}
FORM = {"Content-Type": "text/plain"}
STALE = {"If-Match": '"1-1"'}

#: Identifying the caller costs one query; an error in the input costs no further one.
CALLS = [
    Call("GET", "/products?userId={seller_id}", "stranger", 200, None, 1),
    Call("GET", "/products?userId={seller_id}", "seller", 200, None, 2),
    Call("GET", "/products?userId={seller_id}&sort=name&minPrice=0&maxPrice=9999", "stranger", 200, None, 1),
    Call("GET", "/products", "stranger", 400, "user_id_required", 0),
    Call("GET", "/products?userId={seller_id}&sort=id", "stranger", 400, "validation_failed", 0),
    Call("GET", "/products?userId={seller_id}&cursor={cursor}", "stranger", 400, "validation_failed", 0),
    Call("GET", "/products/{product}", "stranger", 200, None, 1),
    Call("GET", "/products/{draft}", "seller", 200, None, 2),
    Call("GET", "/products/{draft}", "rival", 404, "not_found", 2),
    Call("GET", f"/products/{UNKNOWN}", "stranger", 404, "not_found", 1),
    Call("GET", "/products/{product}", "stranger", 304, None, 1, None, {"If-None-Match": "*"}),
    Call("POST", "/products", "seller", 201, None, 2, NEW),
    Call("POST", "/products", "seller", 400, "missing_fields", 1, {"name": "Course"}),
    Call("POST", "/products", "seller", 400, "validation_failed", 1, {**NEW, "price": -1}),
    Call("POST", "/products", "stranger", 401, "unauthenticated", 0, NEW),
    Call("POST", "/products", "rival", 403, "forbidden", 1, {**NEW, "userId": UNKNOWN}),
    Call("POST", "/products", "seller", 415, "unsupported_media_type", 1, b"{}", FORM),
    Call("POST", "/products", "seller", 413, "body_too_large", 0, b" " * 262_145, FORM),
    Call("PATCH", "/products/{product}", "seller", 200, None, 2, {"price": 2}),
    Call("PATCH", "/products/{product}", "seller", 200, None, 2, {}),
    Call("PATCH", "/products/{product}", "seller", 400, "validation_failed", 1, {"price": -1}),
    Call("PATCH", "/products/{product}", "stranger", 401, "unauthenticated", 0, {"price": 2}),
    Call("PATCH", "/products/{product}", "rival", 403, "forbidden", 3, {"price": 2}),
    Call("PATCH", "/products/{draft}", "rival", 404, "not_found", 3, {"price": 2}),
    Call("PATCH", "/products/{product}", "seller", 412, "precondition_failed", 3, {"price": 2}, STALE),
    Call("DELETE", "/products/{product}", "seller", 204, None, 2),
    Call("DELETE", "/products/{product}", "stranger", 401, "unauthenticated", 0),
    Call("DELETE", "/products/{product}", "rival", 403, "forbidden", 3),
    Call("DELETE", "/products/{draft}", "rival", 404, "not_found", 3),
    Call("DELETE", "/products/{product}", "seller", 412, "precondition_failed", 3, None, STALE),
    Call("POST", "/orders", "stranger", 201, None, 1, {"productId": "{product}"}),
    Call("POST", "/orders", "seller", 201, None, 2, {"productId": "{product}", "amount": 1000}),
    Call("POST", "/orders", "stranger", 400, "validation_failed", 0, {"productId": "{product}", "name": 1}),
    Call("POST", "/orders", "stranger", 404, "not_found", 2, {"productId": UNKNOWN}),
    Call("POST", "/orders", "rival", 404, "not_found", 3, {"productId": "{draft}"}),
    Call("POST", "/orders", "seller", 409, "not_for_sale", 3, {"productId": "{draft}"}),
    Call("POST", "/orders", "stranger", 409, "price_changed", 2, {"productId": "{product}", "amount": 1}),
    Call("GET", "/orders", "seller", 200, None, 2),
    Call("GET", "/orders?email=B@example.com&status=created&productId={product}", "seller", 200, None, 2),
    Call("GET", "/orders?limit=1&cursor={cursor}", "seller", 200, None, 2),
    Call("GET", "/orders?status=paid&cursor={cursor}", "seller", 400, "validation_failed", 1),
    Call("GET", "/orders?cursor={cursor}", "rival", 400, "validation_failed", 1),
    Call("GET", "/orders?status=lost", "seller", 400, "validation_failed", 1),
    Call("GET", "/orders", "stranger", 401, "unauthenticated", 0),
    Call("GET", "/orders", "buyer", 401, "unauthenticated", 0),
    Call("GET", "/orders.csv", "seller", 200, None, 2),
    Call("GET", "/orders.csv?status=lost", "seller", 400, "validation_failed", 1),
    Call("GET", "/orders.csv", "stranger", 401, "unauthenticated", 0),
    Call("GET", "/orders/{order}", "seller", 200, None, 2),
    Call("GET", "/orders/old-1", "seller", 200, None, 2),
    Call("GET", "/orders/{order}", "buyer", 200, None, 1),
    Call("GET", "/orders/old-1", "buyer", 200, None, 2),
    Call("GET", "/orders/{order}", "rival", 404, "not_found", 2),
    Call("GET", "/orders/{order}", "stranger", 404, "not_found", 0),
    Call("GET", f"/orders/{NOWHERE}", "buyer", 404, "not_found", 0),
    Call("GET", "/orders/{order}/events", "seller", 200, None, 2),
    Call("GET", "/orders/{order}/events", "buyer", 200, None, 1),
    Call("GET", "/orders/{order}/events", "rival", 404, "not_found", 2),
    Call("PATCH", "/orders/{order}", "seller", 200, None, 2, {"status": "paid"}),
    Call("PATCH", "/orders/{order}", "seller", 200, None, 3, {"status": "created"}),
    Call("PATCH", "/orders/{order}", "buyer", 200, None, 1, {"status": "cancelled"}),
    Call("PATCH", "/orders/{order}", "seller", 400, "validation_failed", 1, {"status": "lost"}),
    Call("PATCH", "/orders/{order}", "stranger", 401, "unauthenticated", 0, {"status": "paid"}),
    Call("PATCH", "/orders/{order}", "rival", 404, "not_found", 3, {"status": "paid"}),
    Call("PATCH", "/orders/{order}", "seller", 409, "invalid_transition", 3, {"status": "refunded"}),
    Call("PATCH", "/orders/{order}", "buyer", 409, "invalid_transition", 2, {"status": "paid"}),
    Call("POST", "/orders/{order}/receipt", "seller", 200, None, 2),
    Call("POST", "/orders/old-1/receipt", "seller", 200, None, 2),
    Call("POST", "/orders/{order}/receipt", "rival", 404, "not_found", 2),
    Call("POST", "/orders/{order}/receipt", "buyer", 401, "unauthenticated", 0),
    Call("GET", "/stats?interval=week", "seller", 200, None, 2),
    Call("GET", "/stats?interval=hour", "seller", 400, "validation_failed", 1),
    Call("GET", "/stats", "stranger", 401, "unauthenticated", 0),
]

#: Errors that need earlier calls; test_idempotency.py and test_throttle.py test them.
ELSEWHERE = {
    ("POST", "/api/orders", code) for code in ("idempotency_mismatch", "idempotency_in_progress", "throttled")
}


def test_calls_return_the_expected_response_in_the_expected_queries(
    seller: Person, rival: Person, stranger: Person, subtests: pytest.Subtests
) -> None:
    for call in CALLS:
        shop = make_shop(seller, rival, stranger)
        body = call.body
        if isinstance(body, dict) and call.path == "/orders":
            body = {"email": "b@example.com", **body}
            body["productId"] = str(body["productId"]).format_map(shop)
        sent: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
        path = f"/api{call.path}".format_map(shop)

        with subtests.test(" ".join(map(str, call[:4]))):
            with assert_query_count(call.queries):
                answer = shop[call.who].request(call.method, path, headers=call.headers, **sent)
            assert answer.status_code == call.status, answer.text
            if call.code is not None:
                assert answer.get_json()["code"] == call.code


def test_every_declared_error_is_tested(app: Flask) -> None:
    def route(path: str) -> str:
        return re.sub(r"<[^>]+>|(?<=orders/)(old-1|\{order\}|0000[^/]+)|(?<=products/)[^/]+", "*", path)

    tried = {(call.method, route(f"/api{call.path.partition('?')[0]}"), call.code) for call in CALLS}
    for rule in app.url_map.iter_rules():
        if not re.match(r"/api/(products|orders)", rule.rule):
            continue
        view: Callable[..., Any] = app.view_functions[rule.endpoint]
        declared = view.endpoint  # type: ignore[attr-defined]
        codes = {None, *(error.code for error in declared.errors)}
        codes |= {"validation_failed"} if declared.body or declared.query else set()
        codes |= {"unauthenticated"} if declared.sign_in == "required" else set()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            for code in codes:
                assert (method, route(rule.rule), code) in tried | ELSEWHERE
