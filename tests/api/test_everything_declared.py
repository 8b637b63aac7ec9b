"""All that the OpenAPI document declares about responses occurs: each status, header and field.

Other tests check responses against the document; here each operation is made to return all it declares.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from nexus.api.openapi.document import document
from nexus.config import Settings
from nexus.database_url import DatabaseURL
from nexus.db import database
from nexus.models.accounts import Reset
from nexus.models.users import User
from nexus.rates import Rate
from nexus.readiness import Readiness
from tests.api.answers import Fact, declared, seen
from tests.factories import PASSWORD, register

UNKNOWN = 2**63 - 1
NOWHERE = "00000000-0000-4000-8000-000000000000"
UNREACHABLE = DatabaseURL.parse("postgresql://nobody@127.0.0.1:1/nothing")
#: What only a bug of ours would cause, or what takes more than one call.
UNSEEN: set[Fact] = {
    *((f"GET {path}", "500") for path in ("/healthz", "/readyz", "/metrics", "/api/openapi.json")),
    # While another request holds the key; see test_idempotency.py.
    ("POST /api/orders", "409", "header", "Retry-After"),
}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NEW = "another battery horse"


class Caller:
    """A seller with a product, a draft and an order, who calls operations and keeps their facts."""

    numbers = count()

    def __init__(self, app: Flask, facts: set[Fact]) -> None:
        self.app = app
        self.facts = facts
        self.email = f"caller{next(self.numbers)}@example.com"
        self.person = register(app, self.email)
        self.product = self.person.product()["id"]
        self.draft = self.person.product(status="draft")["id"]
        self.order, _ = (self.person.order(self.product)["id"] for _ in range(2))
        self.session = self.person.get("/api/auth/sessions").get_json()["sessions"][0]["id"]
        with app.app_context(), database.connection_context():
            self.reset = Reset.make(User.by_id(self.person.id).get())

    @property
    def good(self) -> dict[str, tuple[str, Any]]:
        """A valid path and body for each operation."""
        whose, credentials = f"?userId={self.person.id}&limit=1", {"email": self.email, "password": PASSWORD}
        return {
            "POST /api/auth/register": ("/api/auth/register", {**credentials, "email": f"new.{self.email}"}),
            "POST /api/auth/login": ("/api/auth/login", credentials),
            "POST /api/auth/refresh": ("/api/auth/refresh", {"refreshToken": self.person.refresh_token}),
            "POST /api/auth/reset": ("/api/auth/reset", {"token": self.reset, "newPassword": NEW}),
            "POST /api/auth/logout": ("/api/auth/logout", None),
            "GET /api/auth/me": ("/api/auth/me", None),
            "PATCH /api/auth/me": ("/api/auth/me", {"email": f"n.{self.email}", "currentPassword": PASSWORD}),
            "DELETE /api/auth/me": ("/api/auth/me", {"password": PASSWORD}),
            "POST /api/auth/password": (
                "/api/auth/password",
                {"currentPassword": PASSWORD, "newPassword": NEW},
            ),
            "GET /api/auth/sessions": ("/api/auth/sessions", None),
            "DELETE /api/auth/sessions/{sessionId}": (f"/api/auth/sessions/{self.session}", None),
            "GET /api/openapi.json": ("/api/openapi.json", None),
            "POST /api/orders": ("/api/orders", {"productId": self.product, "email": "b@example.com"}),
            "GET /api/orders": ("/api/orders?limit=1", None),
            "GET /api/orders.csv": ("/api/orders.csv", None),
            "GET /api/orders/{orderId}": (f"/api/orders/{self.order}", None),
            "PATCH /api/orders/{orderId}": (f"/api/orders/{self.order}", {"status": "paid"}),
            "GET /api/orders/{orderId}/events": (f"/api/orders/{self.order}/events", None),
            "POST /api/orders/{orderId}/receipt": (f"/api/orders/{self.order}/receipt", None),
            "GET /api/products": (f"/api/products{whose}", None),
            "POST /api/products": ("/api/products", {"name": "Course", "price": 1}),
            "GET /api/products/{productId}": (f"/api/products/{self.product}", None),
            "PATCH /api/products/{productId}": (f"/api/products/{self.product}", {"price": 2}),
            "DELETE /api/products/{productId}": (f"/api/products/{self.product}", None),
            "GET /api/stats": ("/api/stats?interval=day", None),
            "GET /healthz": ("/healthz", None),
            "GET /readyz": ("/readyz", None),
            "GET /metrics": ("/metrics", None),
        }

    def call(self, operation: str, path: str | None = None, body: Any = None, **headers: str) -> Any:
        """Call an operation, with valid input where none is given."""
        usual, sent = self.good[operation]
        request_headers = {"Authorization": f"Bearer {self.person.token}", "traceparent": TRACE}
        request_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        given = sent if body is None else body
        data: dict[str, Any] = {"data": given} if isinstance(given, bytes) else {"json": given}
        if given is None:
            data = {}
        method = operation.partition(" ")[0]
        client = self.app.test_client(use_cookies=False)
        answer = client.open(path or usual, method=method, headers=request_headers, **data)
        self.facts |= seen(operation, answer)
        return answer


def bad_input(caller: Caller, operation: str) -> None:
    caller.call(operation, body={"nonsense": 1})


def stranger(caller: Caller, operation: str) -> None:
    """Call with an invalid token, password or refresh token."""
    bodies: dict[str, Any] = {
        "POST /api/auth/login": {"email": caller.email, "password": "wrong"},
        "POST /api/auth/refresh": {"refreshToken": "none"},
    }
    caller.call(operation, body=bodies.get(operation), Authorization="Bearer none")


def other_site(caller: Caller, operation: str) -> None:
    cookies = f"token={caller.person.token}; refresh={caller.person.refresh_token}"
    body: Any = {} if operation == "POST /api/auth/refresh" else None
    caller.call(operation, body=body, Authorization="", Cookie=cookies, Origin="https://elsewhere.example")


def nothing(caller: Caller, operation: str) -> None:
    path = caller.good[operation][0]
    for there, lost in ((caller.order, NOWHERE), (caller.session, NOWHERE)):
        path = path.replace(there, lost)
    path = path.replace(f"products/{caller.product}", f"products/{UNKNOWN}")
    body: Any = {"productId": UNKNOWN, "email": "b@example.com"} if operation == "POST /api/orders" else None
    caller.call(operation, path, body)


def too_large(caller: Caller, operation: str) -> None:
    caller.call(operation, body=b" " * 262_145)


def another_type(caller: Caller, operation: str) -> None:
    caller.call(operation, body=b"{}", Content_Type="text/plain")


def too_often(caller: Caller, operation: str) -> None:
    rates = dict.fromkeys(("sign_in", "password", "reset", "register", "refresh", "order"), Rate(1, 86400))
    wrong = {
        "PATCH /api/auth/me": {"email": "n@example.com", "currentPassword": "wrong"},
        "DELETE /api/auth/me": {"password": "wrong"},
        "POST /api/auth/password": {"currentPassword": "wrong", "newPassword": NEW},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(caller.app.config, "RATES", rates)
        for _ in range(2):
            caller.call(operation, body=wrong.get(operation))


def conflict(caller: Caller, operation: str) -> None:
    bodies: dict[str, Any] = {
        "POST /api/orders": {"productId": caller.product, "email": "b@example.com", "amount": 1},
        "PATCH /api/orders/{orderId}": {"status": "refunded"},
    }
    caller.call(operation, body=bodies.get(operation))


def stale(caller: Caller, operation: str) -> None:
    caller.call(operation, If_Match='"1-1"')


def same_key(caller: Caller, operation: str) -> None:
    key = uuid4().hex
    bodies = [{"productId": caller.product, "email": f"{name}@example.com"} for name in "aab"]
    for body in bodies:
        caller.call(operation, body=body, Idempotency_Key=key)


def known(caller: Caller, operation: str) -> None:
    caller.call(operation, If_None_Match="*")


def unreachable(caller: Caller, operation: str) -> None:
    with elsewhere(caller.app, UNREACHABLE):
        caller.call(operation)


def unmigrated(caller: Caller, operation: str) -> None:
    """Call with a schema that has no tables."""
    there: DatabaseURL = caller.app.config["SETTINGS"].direct
    with elsewhere(caller.app, DatabaseURL({**there.parameters, "options": "-csearch_path=nowhere"})):
        caller.call(operation)


@contextmanager
def elsewhere(app: Flask, url: DatabaseURL) -> Iterator[None]:
    """Use another database, like a process that has just started."""
    settings: Settings = app.config["SETTINGS"]
    database.configure(url, size=1, wait=2)
    app.extensions["readiness"] = Readiness()
    try:
        yield
    finally:
        database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)
        app.extensions["readiness"] = Readiness()


PROVOKED: dict[str, Callable[[Caller, str], None]] = {
    "304": known,
    "400": bad_input,
    "401": stranger,
    "403": other_site,
    "404": nothing,
    "409": conflict,
    "412": stale,
    "413": too_large,
    "415": another_type,
    "422": same_key,
    "429": too_often,
    "500": unmigrated,
    "503": unreachable,
}


def succeed(caller: Caller, operation: str) -> None:
    if operation == "DELETE /api/auth/me":
        for order in caller.person.get("/api/orders").get_json()["orders"]:
            caller.person.request("PATCH", f"/api/orders/{order['id']}", json={"status": "cancelled"})
    caller.call(operation)
    if operation == "GET /api/stats":
        # Products beyond the first hundred are summed up.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("nexus.schemas.stats.MAX_NAMED", 0)
            caller.call(operation)


def refused_metrics(caller: Caller, settings: Settings) -> None:
    """Ask for metrics that need a key, and for metrics that production does not serve without one."""
    for update in ({"metrics_key": "k3Jx9-Qw7Zr2_Tb8Vn4Lm6Pc1Yd5Hs0Gf"}, {"app_env": "production"}):
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(caller.app.config, "SETTINGS", settings.model_copy(update=update))
            caller.call("GET /metrics")


def test_everything_declared_occurs(app: Flask, settings: Settings) -> None:
    described: Any = document(app)
    expected, facts = declared(described) - UNSEEN, set[Fact]()
    for operation, status in {fact[:2] for fact in expected}:
        if operation == "GET /metrics" and status != "200":
            refused_metrics(Caller(app, facts), settings)
        else:
            PROVOKED.get(status, succeed)(Caller(app, facts), operation)

    unseen = {fact for fact in expected - facts if fact[:2] not in UNSEEN}
    assert not unseen, "\n".join(sorted(map(" ".join, unseen)))


def test_a_declared_fact_that_never_occurs_is_detected(app: Flask) -> None:
    described: Any = document(app)
    answers = described["paths"]["/healthz"]["get"]["responses"]
    answers["418"] = {"headers": {"X-Tea": {}}, "content": {}}
    answers["200"]["headers"]["X-Coffee"] = {}
    facts: set[Fact] = set()
    Caller(app, facts).call("GET /healthz")

    never = {fact for fact in declared(described) - facts if fact[0] == "GET /healthz"} - UNSEEN
    assert ("GET /healthz", "418", "header", "X-Tea") in never
    assert ("GET /healthz", "200", "header", "X-Coffee") in never
    assert ("GET /healthz", "200") not in never
