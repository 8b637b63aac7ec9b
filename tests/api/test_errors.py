"""Every invalid input gets a problem response with the right status, and never a 500.

{"type", "title", "status", "detail", "code", "requestId", "error"} and, for input, "errors"
"""

from typing import Any

import pytest
from flask import Flask

from nexus.i18n import negotiate
from tests.factories import Person

JSON = {"Content-Type": "application/json"}
REGISTER = "/api/auth/register"
PRODUCTS = "/api/products"
ORDERS = "/api/orders"
GOOD: dict[str, dict[str, Any]] = {
    REGISTER: {"email": "new@test.com", "password": "password123"},
    "/api/auth/login": {"email": "new@test.com", "password": "password123"},
    PRODUCTS: {"name": "Course", "price": 1},
    ORDERS: {"productId": 1, "email": "buyer@example.com"},
}


def problem_of(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    body: dict[str, Any] = answer.get_json()
    assert body["code"] == code
    assert body["type"] == f"/docs/errors#{code.replace('_', '-')}"
    assert body["requestId"] == answer.headers["X-Request-Id"]
    return body


@pytest.mark.parametrize(
    ("path", "field", "value", "code"),
    [
        (REGISTER, "email", 1, "not_a_string"),
        (REGISTER, "email", ["a@b.com"], "not_a_string"),
        (REGISTER, "email", "", "not_an_email"),
        (REGISTER, "email", "no address", "not_an_email"),
        (REGISTER, "email", "a@b\0.com", "has_nul"),
        (REGISTER, "email", "a@" + "b" * 260 + ".com", "too_long"),
        (REGISTER, "password", 12345678, "not_a_string"),
        (REGISTER, "password", "1234567", "too_short"),
        (REGISTER, "password", "x" * 129, "too_long"),
        (REGISTER, "password", "password\0", "has_nul"),
        (REGISTER, "password", "\u1100\u1161\u11a8" * 128, "too_many_bytes"),
        (REGISTER, "name", "extra", "unknown"),
        ("/api/auth/login", "email", None, "required"),
        ("/api/auth/login", "email", {}, "not_a_string"),
        ("/api/auth/login", "password", "п" * 513, "too_many_bytes"),
        ("/api/auth/login", "password", "x\0", "has_nul"),
        (PRODUCTS, "name", "", "too_short"),
        (PRODUCTS, "name", "x" * 256, "too_long"),
        (PRODUCTS, "name", 5, "not_a_string"),
        (PRODUCTS, "name", "a\0", "has_nul"),
        (PRODUCTS, "description", "x" * 20_001, "too_long"),
        (PRODUCTS, "price", -1, "too_small"),
        (PRODUCTS, "price", 100_000_000, "too_large"),
        (PRODUCTS, "price", 10.5, "not_an_integer"),
        (PRODUCTS, "price", 10.0, "not_an_integer"),
        (PRODUCTS, "price", True, "not_an_integer"),
        (PRODUCTS, "price", "10abc", "not_an_integer"),
        (PRODUCTS, "price", "1e3", "not_an_integer"),
        (PRODUCTS, "price", " 10", "not_an_integer"),
        (PRODUCTS, "price", "", "not_an_integer"),
        (PRODUCTS, "price", "١٠", "not_an_integer"),
        (PRODUCTS, "price", 10**30, "not_an_integer"),
        (PRODUCTS, "price", [1], "not_an_integer"),
        (PRODUCTS, "status", "sold", "not_a_choice"),
        (PRODUCTS, "userId", "me", "not_an_integer"),
        (PRODUCTS, "userId", 2**63, "too_large"),
        (PRODUCTS, "Price", 1, "unknown"),
        (ORDERS, "productId", None, "required"),
        (ORDERS, "productId", 0, "too_small"),
        (ORDERS, "productId", 2**63, "too_large"),
        (ORDERS, "email", "nobody", "not_an_email"),
        (ORDERS, "name", "x" * 256, "too_long"),
        (ORDERS, "name", "a\0b", "has_nul"),
        (ORDERS, "amount", -1, "too_small"),
        (ORDERS, "status", "paid", "unknown"),
    ],
)
def test_an_invalid_field_is_named(seller: Person, path: str, field: str, value: Any, code: str) -> None:
    answer = seller.post(path, {**GOOD[path], field: value})

    body = problem_of(answer, 400, "validation_failed")
    assert [(problem["field"], problem["code"]) for problem in body["errors"]] == [(field, code)]
    assert all(problem["message"] for problem in body["errors"])


@pytest.mark.parametrize(
    ("path", "field", "code"),
    [
        ("/api/products?userId=abc", "userId", "not_an_integer"),
        ("/api/products?userId=", "userId", "not_an_integer"),
        ("/api/products?userId=1%00", "userId", "not_an_integer"),
        ("/api/products?userId=9223372036854775808", "userId", "too_large"),
        ("/api/products?userId=1&userId=2", "userId", "repeated"),
        ("/api/products?userId=1&limit=0", "limit", "too_small"),
        ("/api/products?userId=1&limit=201", "limit", "too_large"),
        ("/api/products?userId=1&limit=ten", "limit", "not_an_integer"),
        ("/api/products?userId=1&page=2", "page", "unknown"),
        ("/api/products?userId=1&cursor=abc", "cursor", "not_a_cursor"),
        ("/api/products?userId=1&cursor=%00", "cursor", "has_nul"),
        ("/api/orders?status=lost", "status", "not_a_choice"),
        ("/api/orders?productId=x", "productId", "not_an_integer"),
        ("/api/orders?email=%00", "email", "has_nul"),
        ("/api/orders?createdAfter=yesterday", "createdAfter", "not_a_time"),
        ("/api/orders?createdAfter=2026-01-31", "createdAfter", "not_a_time"),
        ("/api/orders?createdAfter=2026-01-31T09:12:33", "createdAfter", "not_a_time"),
        ("/api/orders?createdBefore=2026-02-30T09:12:33Z", "createdBefore", "not_a_time"),
        ("/api/orders?createdBefore=0001-01-01T00:00:00%2B14:00", "createdBefore", "not_a_time"),
        ("/api/orders?createdBefore=2026-01-31T09:12:33%2B14:60", "createdBefore", "not_a_time"),
    ],
)
def test_an_invalid_query_parameter_is_named(seller: Person, path: str, field: str, code: str) -> None:
    body = problem_of(seller.get(path), 400, "validation_failed")

    assert [(problem["field"], problem["code"]) for problem in body["errors"]] == [(field, code)]


def test_unknown_and_repeated_query_parameters_are_refused(seller: Person, stranger: Person) -> None:
    product = seller.product()["id"]
    body = {"productId": product, "email": "buyer@example.com"}
    bought = stranger.post("/api/orders", body).get_json()
    path, receipt = f"/api/orders/{bought['order']['id']}", bought["receiptToken"]

    for person, method, asked, sent, found in (
        (stranger, "POST", "/api/orders?amount=1", body, ("amount", "unknown")),
        (seller, "POST", f"{PRODUCTS}?price=1", {"name": "x", "price": 2}, ("price", "unknown")),
        (stranger, "GET", f"{PRODUCTS}/{product}?foo=1", None, ("foo", "unknown")),
        (stranger, "GET", f"{PRODUCTS}/{product}?receipt={receipt}", None, ("receipt", "unknown")),
        (stranger, "GET", f"{path}?receipt={receipt}&foo=", None, ("foo", "unknown")),
        (stranger, "GET", f"{path}?receipt={receipt}&receipt=x", None, ("receipt", "repeated")),
    ):
        answer = person.request(method, asked, json=sent)
        errors = problem_of(answer, 400, "validation_failed")["errors"]
        assert [(one["field"], one["code"]) for one in errors] == [found]
    assert stranger.get(f"{path}?receipt={receipt}").status_code == 200


def test_a_request_to_upgrade_the_protocol_is_answered_normally(seller: Person) -> None:
    path = f"{PRODUCTS}/{seller.product()['id']}"

    answer = seller.get(path, headers={"Connection": "Upgrade", "Upgrade": "websocket"})

    assert answer.get_json() == seller.get(path).get_json()


def test_all_invalid_fields_are_reported_at_once_in_russian(stranger: Person) -> None:
    answer = stranger.post(
        REGISTER, {"email": "x", "password": "y", "extra": 1}, headers={"Accept-Language": "ru"}
    )

    errors = answer.get_json()["errors"]
    assert {problem["field"]: problem["message"] for problem in errors} == {
        "email": "не похоже на адрес e-mail",
        "password": "не короче 8 симв.",
        "extra": "неизвестное поле",
    }


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"{", 400, "broken_json"),
        (b"[]", 400, "broken_json"),
        (b'"text"', 400, "broken_json"),
        (b"null", 400, "broken_json"),
        (b"NaN", 400, "broken_json"),
        (b"\xef\xbb\xbf{}", 400, "broken_json"),
        (b'{"email": 1e999}', 400, "broken_json"),
        (b'{"email": ' + b"9" * 5000 + b"}", 400, "broken_json"),
        (b"\xff\xfe", 400, "broken_json"),
        (b'{"email": "\\ud800"}', 400, "broken_json"),
        (b"[" * 200_000, 400, "broken_json"),
        (b'{"a":' * 20_000, 400, "broken_json"),
        (b"x" * 262_145, 413, "body_too_large"),
        (b" " * 262_144, 400, "broken_json"),
        (b"", 400, "validation_failed"),
    ],
)
def test_a_body_that_is_not_a_json_object_is_refused(
    stranger: Person, raw: bytes, status: int, code: str
) -> None:
    problem_of(stranger.request("POST", REGISTER, data=raw, headers=JSON), status, code)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
        "application",
    ],
)
def test_a_body_of_another_media_type_is_refused(stranger: Person, content_type: str) -> None:
    answer = stranger.request("POST", REGISTER, data=b"{}", headers={"Content-Type": content_type})

    problem_of(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(("encoding", "status"), [("gzip", 415), ("Identity", 400), ("br, gzip", 415)])
def test_a_compressed_body_is_refused(stranger: Person, encoding: str, status: int) -> None:
    headers = {**JSON, "Content-Encoding": encoding}

    assert stranger.request("POST", REGISTER, data=b"{}", headers=headers).status_code == status


def test_errors_take_precedence_in_the_order_of_the_contract(stranger: Person, seller: Person) -> None:
    large, wrong = b"x" * 262_145, b"{"
    text = {"Content-Type": "text/plain"}

    problem_of(stranger.request("POST", PRODUCTS, data=large, headers=text), 413, "body_too_large")
    problem_of(stranger.request("POST", PRODUCTS, data=wrong, headers=text), 401, "unauthenticated")
    problem_of(seller.request("POST", PRODUCTS, data=wrong, headers=text), 415, "unsupported_media_type")
    problem_of(seller.request("POST", PRODUCTS, data=wrong, headers=JSON), 400, "broken_json")


def test_a_body_for_a_call_without_input_obeys_the_same_rules(seller: Person) -> None:
    path = f"{PRODUCTS}/{seller.product()['id']}"

    text = seller.delete(path, data="junk", headers={"Content-Type": "text/plain"})
    field = seller.delete(path, json={"really": True})

    problem_of(text, 415, "unsupported_media_type")
    assert problem_of(field, 400, "validation_failed")["errors"][0]["field"] == "really"
    assert seller.delete(path, json={}).status_code == 204


@pytest.mark.parametrize(
    "path", ["/nothing", "/api", "/api/", "/api/nothing", "/api/auth/nothing", "//api/products", "/%00"]
)
def test_an_unknown_route_gets_a_problem_response(stranger: Person, path: str) -> None:
    body = problem_of(stranger.get(path), 404, "not_found")

    assert ("success" in body) == path.startswith("/api/auth/")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "BREW"])
def test_a_wrong_method_gets_a_problem_response_with_the_allowed_ones(stranger: Person, method: str) -> None:
    answer = stranger.request(method, PRODUCTS)

    problem_of(answer, 405, "method_not_allowed")
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


def test_an_internal_error_discloses_nothing_but_the_request_id(
    app: Flask, stranger: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only a broken view gives this response.
    monkeypatch.setitem(app.view_functions, "ops.healthz", lambda: 1 / 0)

    answer = stranger.get("/healthz", headers={"Accept-Language": "ru"})

    body = problem_of(answer, 500, "internal_error")
    assert body["error"] == "Произошла внутренняя ошибка. Попробуйте снова."
    assert "division" not in answer.text


@pytest.mark.parametrize(("sent", "kept"), [("abc-123", 1), ("a b", 0), ("", 0), ("x" * 129, 0)])
def test_only_a_well_formed_request_id_is_kept(stranger: Person, sent: str, kept: int) -> None:
    answer = stranger.get("/healthz", headers={"X-Request-Id": sent})

    assert answer.headers["X-Request-Id"]
    assert (answer.headers["X-Request-Id"] == sent) == kept


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "ru"),
        ("fr", "ru"),
        ("*", "ru"),
        ("ru;q=0, *", "en"),
        ("EN-gb,ru;q=0.1", "en"),
        ("ru;q=0.1, en;q=0.2", "en"),
        ("en;q=0", "ru"),
        ("ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("en;q=1.5, ru;q=0.1", "ru"),
        ("en;q=0.5;x=1,ru;q=0.4", "en"),
        (";;;,,,=", "ru"),
    ],
)
def test_the_language_is_negotiated_by_quality(header: str, language: str) -> None:
    assert negotiate(header, default="ru") == language


def test_errors_declare_their_language(stranger: Person) -> None:
    answer = stranger.get("/nothing", headers={"Accept-Language": "ru"})

    assert answer.headers["Content-Language"] == "ru"
    assert "Accept-Language" in answer.headers["Vary"]
