"""Checks that all contestants give the same responses; differences are reported and count as errors."""

import hmac
import json
import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen
from uuid import UUID

from nexus.security.headers import DEFAULTS
from tests.benchmarks.peers.contestants import KEYS
from tests.benchmarks.peers.data import PASSWORD, PRODUCTS, SEARCHES, USERS
from tests.benchmarks.peers.workload import access_token

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


@dataclass
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    body: Any


def answers(url: str) -> dict[str, Any]:
    """Return a contestant's responses to one request of each kind.

    Values that differ each time are replaced by whether they are valid.
    """
    seen: dict[str, Any] = {}
    for user in (1, USERS // 2, USERS):
        seen[f"list of {user}"] = _page(ask(url, f"/api/products?userId={user}&limit=20"))
    for product in (1, PRODUCTS // 2, PRODUCTS):
        answer = ask(url, f"/api/products/{product}")
        seen[f"product {product}"] = _plain(answer) | {"etag": bool(answer.headers.get("etag"))}
    for words in SEARCHES:
        seen[f"search for {words}"] = _page(ask(url, f"/api/products?q={quote(words)}&limit=20"))
    bearer = {"Authorization": f"Bearer {access_token(7)}"}
    seen["me"] = _plain(ask(url, "/api/auth/me", **bearer))
    seen["order"] = _order(url)
    seen["sign-in"] = _sign_in(url)
    seen["no product"] = ask(url, f"/api/products/{PRODUCTS * 10}").status
    seen["no limit"] = ask(url, "/api/products?userId=1&limit=0").status
    seen["no token"] = ask(url, "/api/auth/me", Authorization=f"Bearer {access_token(7)[:-4]}AAAA").status
    return seen


def differences(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Describe the differences between responses, one line each."""
    return [
        f"{name}: {_short(found[name], other=expected[name])}"
        for name in expected
        if found[name] != expected[name]
    ]


def ask(url: str, path: str, body: Any = None, **headers: str) -> Answer:
    """Send a request, with a body as JSON."""
    data = None if body is None else json.dumps(body).encode()
    renamed = {name.replace("_", "-"): value for name, value in headers.items()}
    request = Request(url + path, data, renamed | ({"Content-Type": "application/json"} if data else {}))
    try:
        with urlopen(request, timeout=30) as response:
            return Answer(response.status, _lower(response.headers), json.load(response))
    except HTTPError as refusal:
        with refusal:
            return Answer(refusal.code, _lower(refusal.headers), None)


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _plain(answer: Answer) -> dict[str, Any]:
    return {"status": answer.status, "body": answer.body, "headers": _headers(answer)}


def _headers(answer: Answer) -> dict[str, Any]:
    """Return the headers that every response must have."""
    return {
        **{name: answer.headers.get(name.lower()) for name in DEFAULTS},
        "JSON": answer.headers.get("content-type", "").startswith("application/json"),
        "X-Request-Id": bool(answer.headers.get("x-request-id")),
    }


def _page(answer: Answer) -> dict[str, Any]:
    """Describe a page; of the cursor only whether there is one, since its format may differ."""
    body = answer.body | {"nextCursor": bool(answer.body["nextCursor"])} if answer.body else None
    return _plain(answer) | {"body": body, "next": 'rel="next"' in answer.headers.get("link", "")}


def _order(url: str) -> dict[str, Any]:
    """Describe an order, and whether its key prevents a second one."""
    body = {"productId": 77, "email": "anna@example.com", "name": "Anna"}
    key = {"Idempotency_Key": secrets.token_hex(20)}
    first = ask(url, "/api/orders", body, **key)
    again = ask(url, "/api/orders", body, **key)
    if first.status != 201:
        return {"status": first.status}
    order = first.body["order"]
    code = hmac.digest(
        KEYS["RECEIPT_SECRET_KEY"].encode(), b"receipt of order " + UUID(order["id"]).bytes, "sha256"
    )
    receipt = urlsafe_b64encode(code).rstrip(b"=").decode()
    return {
        "order": {
            name: value for name, value in order.items() if name not in ("id", "createdAt", "updatedAt")
        },
        "times": bool(MOMENT.fullmatch(order["createdAt"])) and order["createdAt"] == order["updatedAt"],
        "receipt": first.body["receiptToken"] == receipt,
        "names": sorted(first.body),
        "place": first.headers.get("location") == f"/api/orders/{order['id']}",
        "same": again.status == 201 and again.body == first.body,
        "headers": _headers(first),
    }


def _sign_in(url: str) -> dict[str, Any]:
    """Describe a sign-in, and whether its token is valid."""
    answer = ask(url, "/api/auth/login", {"email": "User9@example.com", "password": PASSWORD})
    wrong = ask(url, "/api/auth/login", {"email": "user9@example.com", "password": "not this one"})
    if answer.status != 200:
        return {"status": answer.status}
    body = dict(answer.body)
    me = ask(url, "/api/auth/me", Authorization=f"Bearer {body.pop('token')}")
    return {
        "body": body | {"refreshToken": len(body["refreshToken"]) >= 43},
        "me": me.body,
        "cookies": "set-cookie" in answer.headers,
        "wrong": wrong.status,
        "headers": _headers(answer),
    }


def _short(found: Any, *, other: Any) -> str:
    """Describe the first place where two responses differ."""
    if isinstance(found, dict) and isinstance(other, dict):
        for name in [*other, *found]:
            if found.get(name) != other.get(name):
                return f"{name}: {_short(found.get(name), other=other.get(name))}"
    if isinstance(found, list) and isinstance(other, list) and len(found) == len(other):
        for at, (one, two) in enumerate(zip(found, other, strict=True)):
            if one != two:
                return f"[{at}] {_short(one, other=two)}"
    return f"{str(found)[:80]!r} and not {str(other)[:80]!r}"
