"""The contract's table of accounts, row by row: by bearer and by cookie, in English and in Russian."""

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
#: Every call for the signed-in, with input that is good.
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


def known(person: Person, way: str) -> dict[str, str]:
    """The header that says who is calling."""
    if way == "bearer":
        return {"Authorization": f"Bearer {person.token}"}
    return {"Cookie": f"token={person.token}"}


def refused(answer: TestResponse, status: int, code: str, language: str) -> None:
    """Check that an answer is this error, in this language."""
    body = answer.get_json()
    assert (answer.status_code, body["code"], body["success"]) == (status, code, False)
    assert body["error"] == SENTENCES[code][language]
    assert answer.headers["Content-Language"] == language
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


@calls
@languages
def test_without_a_session_every_call_is_refused(
    seller: Person, stranger: Person, language: str, method: str, path: str, body: Any
) -> None:
    seller.post("/api/auth/logout")
    spoken = {"Accept-Language": language}

    for headers in ({}, known(seller, "bearer"), known(seller, "cookie"), {"Cookie": "token=x"}):
        answer = stranger.request(method, path, json=body, headers={**spoken, **headers})
        refused(answer, 401, "unauthenticated", language)


@calls
def test_a_bad_bearer_beside_a_good_cookie_is_refused_by_every_call(
    seller: Person, stranger: Person, method: str, path: str, body: Any
) -> None:
    headers = {**known(seller, "cookie"), "Authorization": "Bearer x"}

    refused(stranger.request(method, path, json=body, headers=headers), 401, "unauthenticated", "en")
    assert seller.get("/api/auth/me").get_json() == {"user": seller.user}


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
@languages
def test_no_other_site_changes_anything_by_cookie(
    settings: Settings, seller: Person, stranger: Person, language: str, method: str, path: str, body: Any
) -> None:
    rows = "SELECT email, password, ended_at FROM users JOIN sessions ON user_id = users.id"
    before = query(settings, rows)
    theirs = {"Origin": "https://evil.example", "Accept-Language": language}

    answer = stranger.request(method, path, json=body, headers={**theirs, **known(seller, "cookie")})

    refused(answer, 403, "cross_origin", language)
    assert query(settings, rows) == before


@calls
@ways
def test_who_is_calling_costs_one_query(
    seller: Person, stranger: Person, way: str, method: str, path: str, body: Any
) -> None:
    with count_queries() as counted:
        stranger.request(method, path, json=body, headers=known(seller, way))

    asked = [sql for sql, _ in (one.msg for one in counted.get_queries()) if "INNER JOIN" in sql]
    assert [sql for sql in asked if '"sessions"' in sql and '"users"' in sql] == asked[:1]
    assert len(asked) == 1


@ways
def test_sessions_are_listed_and_ended(app: Flask, seller: Person, stranger: Person, way: str) -> None:
    other = sign_in(app, "seller@example.com")
    newest, oldest = stranger.get("/api/auth/sessions", headers=known(seller, way)).get_json()["sessions"]

    ended = stranger.delete(f"/api/auth/sessions/{newest['id']}", headers=known(seller, way))

    assert (newest["current"], oldest["current"]) == (False, True)
    assert (ended.status_code, ended.data) == (204, b"")
    assert other.get("/api/auth/me").status_code == 401
    assert stranger.get("/api/auth/me", headers=known(seller, way)).get_json() == {"user": seller.user}


@ways
@languages
def test_a_session_that_is_none_of_ones_own_is_not_found(
    seller: Person, rival: Person, stranger: Person, way: str, language: str
) -> None:
    (theirs,) = rival.get("/api/auth/sessions").get_json()["sessions"]
    headers = {**known(seller, way), "Accept-Language": language}

    for path in (SESSION, f"/api/auth/sessions/{theirs['id']}", "/api/auth/sessions/x"):
        refused(stranger.delete(path, headers=headers), 404, "not_found", language)
    assert rival.get("/api/auth/me").status_code == 200


@pytest.mark.parametrize("way", ["body", "cookie"])
@languages
def test_a_refresh_token_is_good_once(
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

    refused(refresh(seller.refresh_token), 401, "unauthenticated", language)
    refused(refresh(first.get_json()["refreshToken"]), 401, "unauthenticated", language)
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
def test_malformed_input_is_told_to_those_who_are_not_signed_in(
    stranger: Person, path: str, body: Any, language: str
) -> None:
    answer = stranger.post(f"/api/auth/{path}", body, headers={"Accept-Language": language})

    refused(answer, 400, "validation_failed", language)


@ways
def test_a_reset_ends_all_sessions(app: Flask, seller: Person, stranger: Person, way: str) -> None:
    other = sign_in(app, "seller@example.com")
    with database.connection_context():
        token = Reset.make(User.by_id(seller.id).get())

    body = {"token": token, "newPassword": "another battery horse"}
    assert stranger.post("/api/auth/reset", body).status_code == 204
    for person in (seller, other):
        assert stranger.get("/api/auth/me", headers=known(person, way)).status_code == 401
        spent = {"refreshToken": person.refresh_token}
        assert stranger.post("/api/auth/refresh", spent).status_code == 401
