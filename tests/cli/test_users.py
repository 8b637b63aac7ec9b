"""`flask users`: its output, its effects and its refusals."""

import json
import subprocess
from pathlib import Path

import pytest

from nexus.config import Settings
from tests.api.test_races import behind
from tests.environment import flask
from tests.factories import PASSWORD, Person, register
from tests.sql import query


def users(
    root: Path, settings: Settings, *words: str, typed: str = "", **changes: str
) -> subprocess.CompletedProcess[str]:
    return flask(root, settings, "users", *words, typed=typed, **changes)


def signs_in(stranger: Person, email: str, password: str) -> bool:
    return stranger.post("/api/auth/login", {"email": email, "password": password}).status_code == 200


def test_an_account_can_be_created_found_and_promoted(
    root: Path, settings: Settings, stranger: Person
) -> None:
    made = users(root, settings, "create", "Anna@Example.com", typed="a good password\n")
    promoted = users(root, settings, "promote", "ANNA@example.com")
    shown = users(root, settings, "show", "anna@example.com", "--json")
    found = json.loads(shown.stdout)
    listed = users(root, settings, "list", "--role", "admin", "--json")

    assert made.stdout == f"created user {found['id']}, Anna@example.com, seller\n"
    assert promoted.stdout == f"user {found['id']}, Anna@example.com, is now admin\n"
    assert "role_changed" in promoted.stderr
    assert found == {
        "id": found["id"],
        "email": "Anna@example.com",
        "role": "admin",
        "createdAt": found["createdAt"],
        "products": 0,
        "orders": 0,
        "openOrders": 0,
    }
    assert [one["id"] for one in json.loads(listed.stdout)] == [found["id"]]
    assert "a good password" not in made.stdout + made.stderr
    assert signs_in(stranger, "anna@example.com", "a good password")
    answer = stranger.post("/api/auth/login", {"email": "anna@example.com", "password": "a good password"})
    assert answer.get_json()["user"]["role"] == "admin"


@pytest.mark.parametrize(
    ("meanwhile", "said"),
    [
        ("UPDATE users SET role = 'admin' WHERE id = %s", "is now admin"),
        ("DELETE FROM users WHERE id = %s", "there is no account seller@example.com"),
    ],
)
def test_a_promotion_that_comes_too_late_is_not_logged(
    root: Path, settings: Settings, seller: Person, meanwhile: str, said: str
) -> None:
    promoted = behind(
        settings, meanwhile, seller.id, lambda: users(root, settings, "promote", "seller@example.com")
    )

    assert said in promoted.stdout + promoted.stderr
    assert "role_changed" not in promoted.stderr


def test_the_list_is_ordered_by_id(root: Path, settings: Settings, seller: Person, rival: Person) -> None:
    lines = users(root, settings, "list").stdout.splitlines()
    one = users(root, settings, "show", str(rival.id)).stdout

    assert [line.split()[0] for line in lines] == [str(seller.id), str(rival.id)]
    assert lines[0].endswith("  seller@example.com")
    assert "email       rival@example.com\n" in one


def test_a_password_can_be_set(root: Path, settings: Settings, seller: Person, stranger: Person) -> None:
    done = users(root, settings, "set-password", str(seller.id), typed="a better password\n")

    assert (done.returncode, done.stdout) == (
        0,
        f"user {seller.id}, seller@example.com, has a new password\n",
    )
    assert signs_in(stranger, "seller@example.com", "a better password")
    assert not signs_in(stranger, "seller@example.com", PASSWORD)


def test_a_reset_token_can_be_created_and_used(
    root: Path, settings: Settings, seller: Person, stranger: Person
) -> None:
    first = users(root, settings, "reset-link", "seller@example.com")
    live = users(root, settings, "reset-link", "seller@example.com", APP_ENV="production").stdout
    made = json.loads(users(root, settings, "reset-link", "seller@example.com", "--json").stdout)

    assert "127.0.0.1" not in live
    assert "curl https://ADDRESS-OF-THE-SHOP/api/auth/reset" in live
    token = first.stdout.splitlines()[1].removeprefix("token ")
    assert f'"token": "{token}"' in first.stdout.splitlines()[2]
    assert token not in first.stderr
    assert made["expiresIn"] == 3600
    body = {"token": made["token"], "newPassword": "a better password"}
    assert stranger.post("/api/auth/reset", body).status_code == 204
    assert signs_in(stranger, "seller@example.com", "a better password")


def test_setting_a_password_invalidates_the_reset_token(
    root: Path, settings: Settings, seller: Person, stranger: Person
) -> None:
    made = json.loads(users(root, settings, "reset-link", "seller@example.com", "--json").stdout)
    users(root, settings, "set-password", "seller@example.com", typed="a better password\n")

    refused = stranger.post("/api/auth/reset", {"token": made["token"], "newPassword": "not that one"})

    assert (refused.status_code, refused.get_json()["code"]) == (400, "invalid_reset_token")
    assert signs_in(stranger, "seller@example.com", "a better password")


def test_control_characters_in_an_address_are_escaped(root: Path, settings: Settings, seller: Person) -> None:
    query(settings, "UPDATE users SET email = E'a\\u202e@b.co'")

    output = users(root, settings, "end-sessions", str(seller.id)).stdout

    assert output == f"ended 1 sessions of user {seller.id}, a\\u202e@b.co\n"


def test_erasing_an_account_requires_confirmation_and_no_open_orders(
    root: Path, settings: Settings, seller: Person, stranger: Person
) -> None:
    order = stranger.order(seller.product()["id"])

    unconfirmed = users(root, settings, "erase", "seller@example.com")
    refused = users(root, settings, "erase", "seller@example.com", "--yes")
    query(settings, "UPDATE orders SET status = 'cancelled'")
    done = users(root, settings, "erase", "seller@example.com", "--yes")

    what = f"user {seller.id}, seller@example.com, with 1 products"
    assert (unconfirmed.returncode, refused.returncode, done.returncode) == (1, 1, 0)
    assert unconfirmed.stderr == f"Error: this deletes {what}: add --yes to do it\n"
    assert refused.stderr == f"Error: user {seller.id} has open orders: {order['id']}\n"
    assert done.stdout == f"deleted {what}\n"
    assert query(settings, "SELECT count(*) FROM users") == [(0,)]
    assert query(settings, "SELECT count(*) FROM orders") == [(1,)]


@pytest.mark.parametrize(
    ("words", "typed", "line"),
    [
        (("show", "nobody@example.com"), "", "there is no account nobody@example.com"),
        (("show", "0"), "", "there is no account 0"),
        (("promote", "9" * 30), "", f"there is no account {'9' * 30}"),
        (("create", "SELLER@example.com"), "long enough\n", "SELLER@example.com already has an account"),
        (
            ("create", "nobody"),
            "short\n",
            "the email is not an e-mail address; the password needs 8 or more characters",
        ),
        (("create", "a@example.com"), "A@example.com\n", "the password must not be the e-mail address"),
        (("set-password", "seller@example.com"), "", "the password needs 8 or more characters"),
        (
            ("set-password", "seller@example.com"),
            "seller@EXAMPLE.com\n",
            "the password must not be the e-mail address",
        ),
    ],
)
def test_a_refusal_is_reported_in_one_line(
    root: Path, settings: Settings, seller: Person, words: tuple[str, ...], typed: str, line: str
) -> None:
    refused = users(root, settings, *words, typed=typed)

    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", f"Error: {line}\n")
    assert query(settings, "SELECT id FROM users") == [(seller.id,)]


def test_the_minimum_password_strength_applies_to_the_operator_too(
    root: Path, settings: Settings, rival: Person
) -> None:
    typed = "password123\n"

    refused = users(root, settings, "create", "a@example.com", typed=typed, PASSWORD_MIN_SCORE="3")

    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: the password is too easy to guess: a common password")


def test_commands_refuse_a_database_with_pending_migrations(root: Path, scratch: Settings) -> None:
    refused = users(root, scratch, "list")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Error: the migration 001_initial is pending")


def test_an_account_is_found_regardless_of_case(root: Path, settings: Settings, stranger: Person) -> None:
    register(stranger.http.application, "Иван@пример.рф")

    shown = users(root, settings, "show", "иВАН@ПРИМЕР.рф", "--json")

    assert json.loads(shown.stdout)["email"] == "Иван@пример.рф"
