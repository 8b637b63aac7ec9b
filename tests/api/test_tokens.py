"""Who a request is from: valid and invalid tokens, and where they are looked for."""

import hmac
import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from flask import Flask

from nexus import create_app
from nexus.config import Settings
from nexus.db import database
from nexus.models.users import User
from nexus.security.tokens import key_name
from tests.factories import Person


def claims(person: Person, **changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    good = {
        "sub": str(person.id),
        "id": person.id,
        "email": person.user["email"],
        "sid": jwt.decode(str(person.token), options={"verify_signature": False})["sid"],
        "type": "access",
        "fresh": False,
        "jti": "x",
        "iat": now,
        "exp": now + timedelta(hours=1),
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def forged(person: Person, key: str, algorithm: str = "HS256", **changes: Any) -> str:
    return jwt.encode(claims(person, **changes), key, algorithm=algorithm)


def other_claims(token: str) -> str:
    read = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode({**read, "sub": "1", "id": 1}, "a key that is none of ours, long enough").split(".")[1]


def swapped(token: str, claims_part: str) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{claims_part}.{signature}"


def as_if_rs256(person: Person, key: str) -> str:
    """A token signed with the secret, as for HS256, whose header says RS256."""
    head, body = (
        urlsafe_b64encode(json.dumps(part, default=lambda time: int(time.timestamp())).encode()).rstrip(b"=")
        for part in ({"alg": "RS256", "typ": "JWT"}, claims(person))
    )
    signature = hmac.digest(key.encode(), head + b"." + body, "sha256")
    return b".".join((head, body, urlsafe_b64encode(signature).rstrip(b"="))).decode()


def me(person: Person, authorization: str) -> Any:
    return person.get("/api/auth/me", headers={"Authorization": authorization})


def test_a_token_has_the_contracts_claims(seller: Person, settings: Settings) -> None:
    read = jwt.decode(str(seller.token), settings.jwt_secret_key, algorithms=["HS256"])

    (session,) = seller.get("/api/auth/sessions").get_json()["sessions"]

    assert read["sid"] == session["id"]
    assert jwt.get_unverified_header(str(seller.token))["alg"] == "HS256"
    assert (read["sub"], read["id"], read["email"]) == (str(seller.id), seller.id, "seller@example.com")
    assert read["exp"] - read["iat"] == 7200


def test_a_token_made_by_hand_with_the_right_key_is_valid(seller: Person, settings: Settings) -> None:
    assert me(seller, f"Bearer {forged(seller, settings.jwt_secret_key)}").status_code == 200
    assert me(seller, f"bearer {forged(seller, settings.jwt_secret_key)}").status_code == 200


def test_a_token_from_a_clock_slightly_ahead_is_valid(seller: Person, settings: Settings) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=3)
    assert me(seller, f"Bearer {forged(seller, settings.jwt_secret_key, iat=soon)}").status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": datetime.now(UTC) - timedelta(seconds=1)},
        {"iat": datetime.now(UTC) + timedelta(hours=1)},
        {"iat": datetime.now(UTC) + timedelta(days=36500)},
        {"sub": None},
        {"sub": "0"},
        {"sub": 1},
        {"id": None},
        {"id": "1"},
        {"type": "refresh"},
        {"exp": None},
        {"exp": datetime.now(UTC) - timedelta(days=3650)},
        {"nbf": datetime.now(UTC) + timedelta(days=3650)},
        {"sid": None},
        {"sid": 1},
        {"sid": "none"},
        {"sid": "00000000-0000-4000-8000-000000000000"},
    ],
)
def test_invalid_claims_are_refused(seller: Person, settings: Settings, changes: dict[str, Any]) -> None:
    answer = me(seller, f"Bearer {forged(seller, settings.jwt_secret_key, **changes)}")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="nexus"'


@pytest.mark.parametrize(
    "make",
    [
        lambda person, key: forged(person, "another key of thirty-two bytes!!"),
        lambda person, key: forged(person, key, "HS512"),
        lambda person, key: as_if_rs256(person, key),
        lambda person, key: swapped(person.token, other_claims(person.token)),
        lambda person, key: jwt.encode(claims(person), "x" * 40, headers={"kid": key_name(key)}),
        lambda person, key: jwt.encode(claims(person), None, algorithm="none"),
        lambda person, key: person.token[:-2],
        lambda person, key: person.token + "." + person.token,
        lambda person, key: "x" * 100_000,
        lambda person, key: "",
        lambda person, key: "ключ",
        lambda person, key: "a b",
        lambda person, key: ", ,",
    ],
)
def test_an_invalid_bearer_token_is_refused_everywhere(seller: Person, settings: Settings, make: Any) -> None:
    header = f"Bearer {make(seller, settings.jwt_secret_key)}".encode().decode("latin-1")
    product = seller.product()

    for path in ("/api/auth/me", f"/api/products/{product['id']}", "/api/products?userId=1"):
        answer = seller.get(path, headers={"Authorization": header})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="nexus"'
        assert answer.get_json()["code"] == "unauthenticated"


def test_a_deleted_account_is_refused_at_once(app: Flask, seller: Person) -> None:
    with database.connection_context():
        User.delete().where(User.id == seller.id).execute()

    assert seller.get("/api/auth/me").status_code == 401


def test_the_cookie_authenticates_too(app: Flask, seller: Person, stranger: Person) -> None:
    good = {"Cookie": f"token={seller.token}"}
    bad = {"Cookie": "token=nonsense"}

    assert stranger.get("/api/auth/me", headers=good).get_json() == {"user": seller.user}
    assert stranger.get("/api/auth/me", headers=bad).status_code == 401
    assert stranger.get(f"/api/products?userId={seller.id}", headers=bad).status_code == 200


@pytest.mark.parametrize("header", ["Bearer nonsense", "bearer\tnonsense", "Bearer", " Bearer  nonsense"])
def test_an_invalid_bearer_token_beside_a_valid_cookie_is_refused(
    seller: Person, stranger: Person, header: str
) -> None:
    headers = {"Cookie": f"token={seller.token}", "Authorization": header}

    assert stranger.get("/api/auth/me", headers=headers).status_code == 401


def test_two_cookies_of_one_name_count_as_none(seller: Person, rival: Person, stranger: Person) -> None:
    # A sibling subdomain may have set the first, so that the visitor acts in the rival's account.
    tossed = {"Cookie": f"token={rival.token}; token={seller.token}"}
    spent = {"Cookie": f"refresh={rival.refresh_token}; refresh={seller.refresh_token}"}

    assert stranger.get("/api/auth/me", headers=tossed).status_code == 401
    assert stranger.post("/api/auth/refresh", headers=spent).status_code == 401
    assert rival.post("/api/auth/refresh", {"refreshToken": rival.refresh_token}).status_code == 200


def test_another_authorization_scheme_does_not_override_the_cookie(seller: Person, stranger: Person) -> None:
    headers = {"Cookie": f"token={seller.token}", "Authorization": "Basic eDp5"}

    assert stranger.get("/api/auth/me", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"Sec-Fetch-Site": "same-origin"}, 201),
        ({"Sec-Fetch-Site": "none"}, 201),
        ({"Origin": "http://localhost"}, 201),
        ({"Origin": "https://nexus.sales"}, 201),
        ({"Origin": "https://nexus.sales", "Sec-Fetch-Site": "cross-site"}, 201),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "https://localhost"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "https://nexus.sales:444"}, 403),
        ({"Origin": "https://app.nexus.sales"}, 403),
        ({"Origin": "https://nexus.sales, https://evil.example"}, 403),
        ({"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-origin, cross-site"}, 403),
        ({"Origin": "*"}, 403),
        ({"Origin": "http://[broken"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_a_cookie_authorizes_changes_only_from_our_own_pages(
    seller: Person, stranger: Person, headers: dict[str, str], status: int
) -> None:
    cookie = {"Cookie": f"token={seller.token}", **headers}
    body = {"name": "Course", "price": 1}

    assert stranger.post("/api/products", body, headers=cookie).status_code == status
    assert seller.post("/api/products", body, headers=headers).status_code == 201
    assert stranger.get("/api/auth/me", headers=cookie).status_code == 200


def test_only_configured_cors_origins_pass_the_preflight(stranger: Person) -> None:
    ours = {"Origin": "https://nexus.sales", "Access-Control-Request-Method": "POST"}
    answer = stranger.request("OPTIONS", "/api/products", headers=ours)

    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "https://nexus.sales"
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]

    theirs = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = stranger.request("OPTIONS", "/api/products", headers=theirs)
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_two_authorization_headers_are_refused(seller: Person) -> None:
    twice = [("Authorization", f"Bearer {seller.token}")] * 2

    answer = seller.http.get("/api/auth/me", headers=twice)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="nexus"'


def test_a_session_authenticates_only_its_owner(seller: Person, rival: Person, settings: Settings) -> None:
    theirs = forged(seller, settings.jwt_secret_key, sub=str(rival.id), id=rival.id)

    assert me(seller, f"Bearer {theirs}").status_code == 401


def test_keys_can_be_rotated_without_signing_anybody_out(
    app: Flask, settings: Settings, seller: Person
) -> None:
    new = "a-new-key-0123456789-abcdefghijklmnop"
    both = create_app(settings.model_copy(update={"jwt_secret_key": f"{new}, {settings.jwt_secret_key}"}))
    alone = create_app(settings.model_copy(update={"jwt_secret_key": new}))
    refreshed = Person(both).post("/api/auth/refresh", {"refreshToken": seller.refresh_token}).get_json()

    assert Person(both, token=seller.token).get("/api/auth/me").status_code == 200
    assert Person(alone, token=seller.token).get("/api/auth/me").status_code == 401
    assert Person(alone, token=refreshed["token"]).get("/api/auth/me").status_code == 200
    # A successor made with the old key is returned again by a process that has both keys.
    old = Person(app).post("/api/auth/refresh", {"refreshToken": refreshed["refreshToken"]}).get_json()
    again = Person(both).post("/api/auth/refresh", {"refreshToken": refreshed["refreshToken"]}).get_json()
    assert again["refreshToken"] == old["refreshToken"]
