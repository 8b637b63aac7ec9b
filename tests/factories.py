"""Users, products and orders for tests."""

from functools import cache
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from nexus.db import database
from nexus.models.sessions import Session
from nexus.models.users import User
from nexus.schemas.auth import user_out
from nexus.security import tokens
from nexus.security.passwords import hash_password

PASSWORD = "correct horse battery"


class Person:
    """A client of the API, which ignores cookies, so that only its token authenticates it."""

    def __init__(
        self,
        app: Flask,
        *,
        token: str | None = None,
        refresh_token: str | None = None,
        user: dict[str, Any] | None = None,
    ) -> None:
        self.http: FlaskClient = app.test_client(use_cookies=False)
        self.token = token
        self.refresh_token = refresh_token
        self.user = user or {}

    @property
    def id(self) -> int:
        """Return the account's id."""
        return int(self.user["id"])

    def request(self, method: str, path: str, **options: Any) -> TestResponse:
        """Send a request, in English unless its headers say otherwise."""
        headers = {"Accept-Language": "en", **options.pop("headers", {})}
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        return self.http.open(path, method=method, headers=headers, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        """Send a GET request."""
        return self.request("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        """Send a POST request with a JSON body."""
        return self.request("POST", path, json=json, **options)

    def patch(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        """Send a PATCH request with a JSON body."""
        return self.request("PATCH", path, json=json, **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        """Send a DELETE request."""
        return self.request("DELETE", path, **options)

    def product(self, **fields: Any) -> dict[str, Any]:
        """Create a product."""
        answer = self.post("/api/products", {"name": "Course", "price": 1000, **fields})
        assert answer.status_code == 201, answer.text
        product: dict[str, Any] = answer.get_json()["product"]
        return product

    def order(self, product_id: int, **fields: Any) -> dict[str, Any]:
        """Place an order."""
        body = {"productId": product_id, "email": "buyer@example.com", **fields}
        answer = self.post("/api/orders", body)
        assert answer.status_code == 201, answer.text
        order: dict[str, Any] = answer.get_json()["order"]
        return order


def register(app: Flask, email: str, *, password: str = PASSWORD) -> Person:
    """Create an account and sign it in, as registration does, but with a cached hash of the password."""
    with app.app_context(), database.connection_context():
        (user,) = User.written(User.insert(email=email, password=hashed(password)))
        session, refresh_token = Session.begin(user, user_agent="", address="127.0.0.1")
        token = tokens.issue(session)
    return Person(app, token=token, refresh_token=refresh_token, user=dict(user_out(user)))


hashed = cache(hash_password)


def sign_in(app: Flask, email: str, *, password: str = PASSWORD, **options: Any) -> Person:
    """Sign in again."""
    answer = Person(app).post("/api/auth/login", {"email": email, "password": password}, **options)
    assert answer.status_code == 200, answer.text
    return signed_in(app, answer.get_json())


def signed_in(app: Flask, body: dict[str, Any]) -> Person:
    """Return the person signed in by a response of register, login or refresh."""
    return Person(app, token=body["token"], refresh_token=body["refreshToken"], user=body["user"])
