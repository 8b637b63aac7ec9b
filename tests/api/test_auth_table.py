"""The contract's account calls, one by one: by bearer token and cookie, in English and Russian."""

from typing import Any

import pytest
from flask import Flask
from playhouse.test_utils import count_queries
from werkzeug.test import TestResponse

from nexus.config import Settings
from nexus.db import database
from nexus.models.accounts import Reset
from nexus.models.users import User
from tests.factories import PASSWORD, Person, sign_in
from tests.sql import query

SESSION = "/api/auth/sessions/00000000-0000-4000-8000-000000000000"
#: Every call that requires a session, with valid input.
CALLS: list[tuple[str, str, Any]] = [
    ("GET", "/api/auth/me", None),
    ("GET", "/api/auth/sessions", None),
    ("POST", "/api/auth/logout", None),
    ("POST", "/api/auth/password", {"currentPassword": PASSWORD, "newPassword": "another battery horse"}),
    ("PATCH", "/api/auth/me", {"email": "new@example.com", "currentPassword": PASSWORD}),
    ("DELETE", SESSION, None),
    ("DELETE", "/api/auth/me", {"password": PASSWORD}),
]
CHANGES = [call for call in CALLS if call[0] != "GET"]
SENTENCES = {
    "unauthenticated": {"en": "Please sign in.", "ru": "Войдите в систему."},
    "cross_origin": {
        "en": "Requests from this site are not allowed.",
        "ru": "Запросы с этого сайта не разрешены.",
    },
    "not_found": {"en": "There is nothing here.", "ru": "Здесь ничего нет."},
    "validation_failed": {"en": "Invalid data format.", "ru": "Неверный формат данных."},
}
LATER = "UPDATE refresh_tokens SET spent_at = spent_at - interval '11 seconds'"

ways = pytest.mark.parametrize("way", ["bearer", "cookie"])
languages = pytest.mark.parametrize("language", ["en", "ru"])
calls = pytest.mark.parametrize(("method", "path", "body"), CALLS)


def auth(person: Person, way: str) -> dict[str, str]:
    """The header that authenticates a request."""
    if way == "bearer":
        return {"Authorization": f"Bearer {person.token}"}
    return {"Cookie": f"token={person.token}"}


def assert_error(answer: TestResponse, status: int, code: str, language: str) -> None:
    """Assert that a response is this error, in this language."""
    body = answer.get_json()
    assert (answer.status_code, body["code"], body["success"]) == (status, code, False)
    assert body["error"] == SENTENCES[code][language]
    assert answer.headers["Content-Language"] == language
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


@calls
@languages
def test_every_call_is_refused_without_a_session(
    seller: Person, stranger: Person, language: str, method: str, path: str, body: Any
) -> None:
    seller.post("/api/auth/logout")
    accept_language = {"Accept-Language": language}

    for headers in ({}, auth(seller, "bearer"), auth(seller, "cookie"), {"Cookie": "token=x"}):
        answer = stranger.request(method, path, json=body, headers={**accept_language, **headers})
        assert_error(answer, 401, "unauthenticated", language)


@calls
def test_every_call_refuses_an_invalid_bearer_token_beside_a_valid_cookie(
    seller: Person, stranger: Person, method: str, path: str, body: Any
) -> None:
    headers = {**auth(seller, "cookie"), "Authorization": "Bearer x"}

    assert_error(stranger.request(method, path, json=body, headers=headers), 401, "unauthenticated", "en")
    assert seller.get("/api/auth/me").get_json() == {"user": seller.user}


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
@languages
def test_cross_site_requests_change_nothing_by_cookie(
    settings: Settings, seller: Person, stranger: Person, language: str, method: str, path: str, body: Any
) -> None:
    rows = "SELECT email, password, ended_at FROM users JOIN sessions ON user_id = users.id"
    before = query(settings, rows)
    theirs = {"Origin": "https://evil.example", "Accept-Language": language}

    answer = stranger.request(method, path, json=body, headers={**theirs, **auth(seller, "cookie")})

    assert_error(answer, 403, "cross_origin", language)
    assert query(settings, rows) == before


@calls
@ways
def test_identifying_the_caller_costs_one_query(
    seller: Person, stranger: Person, way: str, method: str, path: str, body: Any
) -> None:
    with count_queries() as counted:
        stranger.request(method, path, json=body, headers=auth(seller, way))

    asked = [sql for sql, _ in (one.msg for one in counted.get_queries()) if "INNER JOIN" in sql]
    assert [sql for sql in asked if '"sessions"' in sql and '"users"' in sql] == asked[:1]
    assert len(asked) == 1


@ways
def test_sessions_are_listed_and_ended(app: Flask, seller: Person, stranger: Person, way: str) -> None:
    other = sign_in(app, "seller@example.com")
    newest, oldest = stranger.get("/api/auth/sessions", headers=auth(seller, way)).get_json()["sessions"]

    ended = stranger.delete(f"/api/auth/sessions/{newest['id']}", headers=auth(seller, way))

    assert (newest["current"], oldest["current"]) == (False, True)
    assert (ended.status_code, ended.data) == (204, b"")
    assert other.get("/api/auth/me").status_code == 401
    assert stranger.get("/api/auth/me", headers=auth(seller, way)).get_json() == {"user": seller.user}


@ways
@languages
def test_ending_an_unknown_or_anothers_session_is_not_found(
    seller: Person, rival: Person, stranger: Person, way: str, language: str
) -> None:
    (theirs,) = rival.get("/api/auth/sessions").get_json()["sessions"]
    headers = {**auth(seller, way), "Accept-Language": language}

    for path in (SESSION, f"/api/auth/sessions/{theirs['id']}", "/api/auth/sessions/x"):
        assert_error(stranger.delete(path, headers=headers), 404, "not_found", language)
    assert rival.get("/api/auth/me").status_code == 200


@pytest.mark.parametrize("way", ["body", "cookie"])
@languages
def test_a_refresh_token_reused_too_late_ends_the_session(
    settings: Settings, seller: Person, stranger: Person, way: str, language: str
) -> None:
    def refresh(token: Any) -> TestResponse:
        headers = {"Accept-Language": language} | ({"Cookie": f"refresh={token}"} if way == "cookie" else {})
        body = {"refreshToken": token} if way == "body" else None
        return stranger.post("/api/auth/refresh", body, headers=headers)

    first, again = refresh(seller.refresh_token), refresh(seller.refresh_token)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.get_json()["refreshToken"] == again.get_json()["refreshToken"] != seller.refresh_token
    query(settings, LATER)

    assert_error(refresh(seller.refresh_token), 401, "unauthenticated", language)
    assert_error(refresh(first.get_json()["refreshToken"]), 401, "unauthenticated", language)
    assert query(settings, "SELECT count(*) FROM sessions WHERE ended_at IS NULL") == [(0,)]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("login", {"email": "seller@example.com"}),
        ("login", {"email": 1, "password": PASSWORD}),
        ("register", {"email": "new@example.com", "password": PASSWORD, "role": "admin"}),
        ("refresh", {"refreshToken": 1}),
        ("reset", {"token": "x"}),
    ],
)
@languages
def test_malformed_input_is_reported_without_a_session(
    stranger: Person, path: str, body: Any, language: str
) -> None:
    answer = stranger.post(f"/api/auth/{path}", body, headers={"Accept-Language": language})

    assert_error(answer, 400, "validation_failed", language)


@ways
def test_a_password_reset_ends_all_sessions(app: Flask, seller: Person, stranger: Person, way: str) -> None:
    other = sign_in(app, "seller@example.com")
    with database.connection_context():
        token = Reset.make(User.by_id(seller.id).get())

    body = {"token": token, "newPassword": "another battery horse"}
    assert stranger.post("/api/auth/reset", body).status_code == 204
    for person in (seller, other):
        assert stranger.get("/api/auth/me", headers=auth(person, way)).status_code == 401
        spent = {"refreshToken": person.refresh_token}
        assert stranger.post("/api/auth/refresh", spent).status_code == 401
