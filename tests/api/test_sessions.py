"""Sessions: how they are refreshed, what ends them, and what a spent refresh token does."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from nexus.config import Settings
from tests.environment import environment, flask
from tests.events import events
from tests.factories import PASSWORD, Person, sign_in
from tests.sql import query

ALIVE = "SELECT count(*) FROM sessions WHERE ended_at IS NULL"
UNSPENT = "SELECT count(*) FROM refresh_tokens WHERE spent_at IS NULL"
#: Makes the spent tokens too old to be reused.
LATER = "UPDATE refresh_tokens SET spent_at = spent_at - interval '11 seconds'"


def refresh(person: Person, token: str | None = None, **options: Any) -> TestResponse:
    return person.post("/api/auth/refresh", {"refreshToken": token or person.refresh_token}, **options)


def cookies(person: Person) -> dict[str, str]:
    return {"Cookie": f"token={person.token}; refresh={person.refresh_token}", "Authorization": "Basic x"}


def count(settings: Settings, statement: str) -> int:
    return int(query(settings, statement)[0][0])


def test_a_refresh_returns_a_new_pair_of_tokens(settings: Settings, seller: Person) -> None:
    answer = refresh(seller)
    body = answer.get_json()

    assert answer.status_code == 200
    assert body["user"] == seller.user
    assert body["refreshToken"] != seller.refresh_token
    assert seller.get("/api/auth/me", headers={"Authorization": f"Bearer {body['token']}"}).status_code == 200
    names = [one.split("=")[0] for one in answer.headers.getlist("Set-Cookie")]
    assert names == ["token", "refresh"]
    assert (count(settings, ALIVE), count(settings, UNSPENT)) == (1, 1)


def test_no_token_is_stored_in_plain_text(settings: Settings, seller: Person) -> None:
    successor = refresh(seller).get_json()["refreshToken"]
    kept = str([query(settings, f"SELECT * FROM {table}") for table in ("refresh_tokens", "sessions")])

    assert str(seller.refresh_token) not in kept
    assert successor not in kept


def test_refreshing_by_cookie_works_only_from_our_own_pages(seller: Person, stranger: Person) -> None:
    cookie = {"Cookie": f"refresh={seller.refresh_token}"}
    refused = stranger.post("/api/auth/refresh", headers={**cookie, "Sec-Fetch-Site": "cross-site"})
    answer = stranger.post("/api/auth/refresh", headers={**cookie, "Sec-Fetch-Site": "same-origin"})

    assert (refused.status_code, refused.get_json()["code"]) == (403, "cross_origin")
    assert answer.status_code == 200


@pytest.mark.parametrize("body", [{}, {"refreshToken": "nonsense"}, {"refreshToken": ""}])
@pytest.mark.parametrize("language", ["en", "ru"])
def test_an_invalid_refresh_token_is_refused(stranger: Person, body: Any, language: str) -> None:
    answer = stranger.post("/api/auth/refresh", body, headers={"Accept-Language": language})

    assert (answer.status_code, answer.get_json()["code"]) == (401, "unauthenticated")
    assert answer.get_json()["success"] is False
    assert "WWW-Authenticate" in answer.headers
    assert answer.headers["Content-Language"] == language


def test_a_token_reused_within_ten_seconds_gets_the_same_successor(
    settings: Settings, seller: Person
) -> None:
    first, again = refresh(seller).get_json(), refresh(seller).get_json()

    assert again["refreshToken"] == first["refreshToken"]
    assert count(settings, ALIVE) == 1
    assert refresh(seller, first["refreshToken"]).status_code == 200


def test_a_token_reused_later_ends_the_session(
    settings: Settings, seller: Person, caplog: pytest.LogCaptureFixture
) -> None:
    successor = refresh(seller).get_json()
    query(settings, LATER)

    assert refresh(seller).status_code == 401
    assert count(settings, ALIVE) == 0
    (found,) = [line for line in events(caplog) if line["event"] == "reuse_detected"]
    assert found["address"] == "127.0.0.1"
    assert found["request"]
    assert str(seller.refresh_token) not in caplog.text
    assert refresh(seller, successor["refreshToken"]).status_code == 401
    assert seller.get("/api/auth/me").status_code == 401
    bearer = {"Authorization": f"Bearer {successor['token']}"}
    assert seller.get("/api/auth/me", headers=bearer).status_code == 401


def test_reusing_an_older_token_ends_the_session_at_once(
    settings: Settings, app: Flask, seller: Person
) -> None:
    other = sign_in(app, "seller@example.com")
    child = refresh(seller).get_json()["refreshToken"]
    refresh(seller, child)

    assert refresh(seller).status_code == 401
    assert refresh(seller, child).status_code == 401
    # The other device has a session of its own.
    assert count(settings, ALIVE) == 1
    assert refresh(other).status_code == 200


def test_fifty_concurrent_refreshes_leave_one_successor(settings: Settings, seller: Person) -> None:
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: refresh(seller), range(50)))

    # Requests beyond the size of the pool may get a 503; there must be no other outcome.
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert len({answer.get_json()["refreshToken"] for answer in answers if answer.status_code == 200}) == 1
    assert (count(settings, ALIVE), count(settings, UNSPENT)) == (1, 1)


def test_another_process_returns_the_same_successor(root: Path, settings: Settings, seller: Person) -> None:
    code = (
        "import sys; from nexus import create_app\n"
        "sent = {'refreshToken': sys.argv[1]}\n"
        "answer = create_app().test_client().post('/api/auth/refresh', json=sent)\n"
        "print(answer.get_json()['refreshToken'])"
    )
    there = subprocess.run(
        [sys.executable, "-c", code, str(seller.refresh_token)],
        cwd=root,
        env=environment(settings),
        capture_output=True,
        text=True,
        check=True,
    )

    assert refresh(seller).get_json()["refreshToken"] == there.stdout.strip()
    assert count(settings, UNSPENT) == 1


@pytest.mark.parametrize("by", ["bearer", "cookie"])
def test_logging_out_ends_this_session_at_once(app: Flask, seller: Person, by: str) -> None:
    other = sign_in(app, "seller@example.com")
    headers = cookies(seller) if by == "cookie" else {}
    answer = seller.post("/api/auth/logout", headers=headers)

    assert (answer.status_code, answer.data) == (204, b"")
    cleared = answer.headers.getlist("Set-Cookie")
    assert [one.partition(";")[0] for one in cleared] == ["token=", "refresh="]
    assert all("Max-Age=0" in one for one in cleared)
    assert "Path=/api/auth" in cleared[1]
    assert seller.get("/api/auth/me").status_code == 401
    assert refresh(seller).status_code == 401
    assert seller.post("/api/auth/logout", headers=headers).status_code == 401
    assert other.get("/api/auth/me").status_code == 200


def test_the_list_of_sessions_shows_devices_addresses_and_times(app: Flask, seller: Person) -> None:
    other = sign_in(app, "seller@example.com", headers={"User-Agent": "Phone/1.0 " + "x" * 300})
    refresh(other)
    newest, oldest = seller.get("/api/auth/sessions").get_json()["sessions"]

    assert list(newest) == ["id", "userAgent", "address", "createdAt", "refreshedAt", "current"]
    assert newest["userAgent"] == ("Phone/1.0 " + "x" * 300)[:255]
    assert newest["address"] == "127.0.0.1"
    assert newest["refreshedAt"] > newest["createdAt"]
    assert (newest["current"], oldest["current"]) == (False, True)


@pytest.mark.parametrize(("sent", "shown"), [("Браузер/1", "Браузер/1"), ("caf\xe9", "caf\ufffd")])
def test_the_user_agent_is_decoded_as_utf_8(app: Flask, seller: Person, sent: str, shown: str) -> None:
    raw = sent if sent.endswith("\xe9") else sent.encode().decode("latin-1")
    sign_in(app, "seller@example.com", environ_overrides={"HTTP_USER_AGENT": raw})

    assert seller.get("/api/auth/sessions").get_json()["sessions"][0]["userAgent"] == shown


def test_only_ones_own_sessions_can_be_ended(app: Flask, seller: Person, rival: Person) -> None:
    other = sign_in(app, "seller@example.com")
    newest = seller.get("/api/auth/sessions").get_json()["sessions"][0]["id"]

    assert rival.delete(f"/api/auth/sessions/{newest}").status_code == 404
    assert seller.delete(f"/api/auth/sessions/{newest}").status_code == 204
    assert seller.delete(f"/api/auth/sessions/{newest}").status_code == 404
    assert seller.delete("/api/auth/sessions/nonsense").status_code == 404
    assert other.get("/api/auth/me").status_code == 401
    assert len(seller.get("/api/auth/sessions").get_json()["sessions"]) == 1


@pytest.mark.parametrize("path", ["logout", "sessions", "password", "me"])
def test_calls_that_need_a_session_are_refused_without_one(stranger: Person, path: str) -> None:
    send: Callable[..., TestResponse] = stranger.get if path in ("sessions", "me") else stranger.post

    assert send(f"/api/auth/{path}").status_code == 401


def test_a_new_password_ends_every_other_session(app: Flask, seller: Person) -> None:
    other = sign_in(app, "seller@example.com")
    body = {"currentPassword": PASSWORD, "newPassword": "another battery horse"}

    assert seller.post("/api/auth/password", body).status_code == 204
    assert seller.get("/api/auth/me").status_code == 200
    assert refresh(seller).status_code == 200
    assert other.get("/api/auth/me").status_code == 401
    assert refresh(other).status_code == 401


@pytest.mark.parametrize("command", ["end-sessions", "set-password"])
def test_the_operator_can_end_all_sessions_of_an_account(
    root: Path, settings: Settings, seller: Person, command: str
) -> None:
    done = flask(root, settings, "users", command, "seller@example.com", typed="another battery horse\n")

    assert done.returncode == 0
    assert seller.get("/api/auth/me").status_code == 401
    assert refresh(seller).status_code == 401


def test_a_session_idle_for_a_month_cannot_be_refreshed(settings: Settings, seller: Person) -> None:
    query(settings, "UPDATE sessions SET refreshed_at = now() - interval '30 days'")

    assert refresh(seller).status_code == 401


def test_the_list_omits_sessions_idle_for_a_month(app: Flask, settings: Settings, seller: Person) -> None:
    sign_in(app, "seller@example.com")
    newest, oldest = seller.get("/api/auth/sessions").get_json()["sessions"]
    query(
        settings, "UPDATE sessions SET refreshed_at = now() - interval '30 days' WHERE id = %s", newest["id"]
    )

    assert seller.get("/api/auth/sessions").get_json()["sessions"] == [oldest]


def test_the_sweep_deletes_dead_sessions_and_old_tokens(
    root: Path, app: Flask, settings: Settings, seller: Person
) -> None:
    ended, idle = sign_in(app, "seller@example.com"), sign_in(app, "seller@example.com")
    ended.post("/api/auth/logout")
    idle_id = idle.get("/api/auth/sessions").get_json()["sessions"][0]["id"]
    refresh(seller)
    query(settings, "UPDATE sessions SET refreshed_at = now() - interval '31 days' WHERE id = %s", idle_id)
    query(settings, "UPDATE refresh_tokens SET spent_at = spent_at - interval '31 days'")

    swept = flask(root, settings, "db", "sweep")

    assert swept.returncode == 0
    assert swept.stdout.splitlines()[:2] == ["sessions: 2 deleted", "refresh tokens: 1 deleted"]
    assert seller.get("/api/auth/me").status_code == 200
    assert count(settings, "SELECT count(*) FROM refresh_tokens") == 1
