"""Which passwords are accepted: their length, their text, and how hard they are to guess."""

import os
import sys
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import argon2
import bcrypt
import pytest
from flask import Flask
from hypothesis import example, given
from hypothesis import strategies as st
from zxcvbn.matching import L33T_TABLE, enumerate_l33t_subs, relevant_l33t_subtable

from nexus import create_app
from nexus.config import Settings
from nexus.security import passwords, strength
from tests.factories import Person, register

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)


def refusal(person: Person, password: str, language: str = "en") -> tuple[str, str] | None:
    """The error code and message with which registration refuses a password."""
    body = {"email": "new@example.com", "password": password}
    answer = person.post("/api/auth/register", body, headers={"Accept-Language": language})
    if answer.status_code == 201:
        return None
    (problem,) = answer.get_json()["errors"]
    assert (answer.status_code, problem["field"]) == (400, "password")
    return problem["code"], problem["message"]


@pytest.fixture
def strict(app: Flask, settings: Settings) -> Person:
    """A client of a shop that requires strong passwords."""
    assert app
    return Person(create_app(settings.model_copy(update={"password_min_score": 3})))


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("1234567", "too_short"),
        ("я" * 8, None),
        ("я" * 128, None),
        ("я" * 129, "too_long"),
        # Counted after normalisation, which can make two characters of one, or one of two.
        ("\ufb01" * 4, None),
        ("\ufb01" * 65, "too_long"),
        ("e\u0301" * 7, "too_short"),
        ("\U0001f98a" * 8, None),
        (" " * 8, None),
        ("password123", None),
        ("pass\0word", "has_nul"),
        ("New@Example.com", "is_the_email"),
        ("\uff2eew@example.com", "is_the_email"),
        ("new@EXAMPLE\u3002com", "is_the_email"),
    ],
)
def test_a_password_has_8_to_128_characters_of_any_kind(
    stranger: Person, password: str, code: str | None
) -> None:
    found = refusal(stranger, password)

    assert (found and found[0]) == code


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("password123", "too_common"),
        ("пароль2024", "too_common"),
        ("gfhjkmgfhjkm", "too_regular"),
        ("gfhjkm24", "too_common"),
        ("наташа1990", "too_common"),
        ("зфыыцщкв", "too_common"),
        ("new@example.com1", "too_common"),
        ("12.05.1990", "too_dated"),
        ("aaaaaaaaaaaa", "too_regular"),
        # Only the first 40 characters are scored; the rest makes no difference.
        ("a" * 40 + "4@8({[<369!1|05$7+%2", "too_regular"),
        ("p@$$w0rd", "too_common"),
        ("4@8({[<369!1|05$7+%2", None),
        ("correct horse battery staple", None),
        ("сова летит мимо фонаря", None),
    ],
)
def test_a_strict_shop_explains_why_a_password_is_weak(
    strict: Person, password: str, code: str | None
) -> None:
    english, russian = refusal(strict, password), None if code is None else refusal(strict, password, "ru")

    assert (english and english[0]) == code
    if english and russian:
        assert "too easy to guess" in english[1]
        assert "слишком легко угадать" in russian[1]


@pytest.mark.parametrize(
    ("typed", "status"), [("new@example.com", 200), ("NEW@EXAMPLE.COM", 401), ("wrong@example.com", 401)]
)
def test_the_password_cannot_become_the_email_address(app: Flask, typed: str, status: int) -> None:
    seller = register(app, "seller@example.com", password="new@example.com")
    body = {"email": typed, "currentPassword": typed}

    answer = seller.patch("/api/auth/me", body)

    # A wrong password gets the same error, which thus does not disclose whether the password is right.
    (problem,) = answer.get_json()["errors"]
    assert (answer.status_code, problem["field"], problem["code"]) == (400, "email", "is_the_password")
    assert seller.patch("/api/auth/me", {**body, "email": "other@example.com"}).status_code == status


def test_a_strict_shop_refuses_a_weak_new_password(app: Flask, strict: Person) -> None:
    seller = register(app, "seller@example.com")
    body = {"currentPassword": "correct horse battery", "newPassword": "password123"}

    answer = Person(strict.http.application, token=seller.token).post("/api/auth/password", body)

    assert answer.status_code == 400
    assert answer.get_json()["errors"][0]["field"] == "newPassword"
    assert "password123" not in answer.text


@given(TEXT)
def test_all_unicode_forms_of_a_password_are_equivalent(password: str) -> None:
    forms = {unicodedata.normalize(form, password) for form in ("NFC", "NFD", "NFKC", "NFKD")}

    assert len({passwords.normalised(form) for form in forms}) == 1
    assert passwords.normalised(passwords.normalised(password)) == passwords.normalised(password)


@given(st.text("".join(sign for signs in L33T_TABLE.values() for sign in signs), min_size=8, max_size=40))
@example("4@8({[<369!1|05$7+%2 and so on to the end")
def test_symbols_have_few_readings_as_letters(password: str) -> None:
    read = strength.with_fewer_signs(password, L33T_TABLE)

    assert len(read) == len(password)
    assert len(enumerate_l33t_subs(relevant_l33t_subtable(read, L33T_TABLE))) <= 2 * strength.READINGS


@given(TEXT, st.integers(1, 4))
def test_every_password_is_accepted_or_refused_with_a_reason(password: str, least: int) -> None:
    code = strength.objection(password, email="new@example.com", least=least)

    assert code in {None, "too_guessable", *strength.REASONS.values()}


@pytest.mark.parametrize(
    "stored",
    [None, passwords.hash_password("another one"), "", "plain", "$2b$10$short"],
    ids=["no account", "another password", "empty", "not a hash", "truncated hash"],
)
@pytest.mark.parametrize(("password", "hashes"), [("caf\u00e9 au lait", 1), ("cafe\u0301 au lait", 2)])
def test_every_refusal_computes_as_many_hashes_as_a_wrong_password(
    monkeypatch: pytest.MonkeyPatch, password: str, hashes: int, stored: str | None
) -> None:
    verified: list[str] = []
    original = argon2.PasswordHasher.verify

    def counting(self: argon2.PasswordHasher, hashed: str, typed: str) -> bool:
        # Raises for text that is not a hash: nothing is computed for that.
        argon2.extract_parameters(hashed)
        verified.append(typed)
        return original(self, hashed, typed)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counting)

    assert not passwords.verify(password, stored)
    assert len(verified) == hashes


@pytest.mark.parametrize("typed", ["cafe\u0301 au lait", "\ufb01sh and chips"])
def test_a_hash_of_the_unnormalised_password_is_outdated(typed: str) -> None:
    as_typed, now = passwords.HASHER.hash(typed), passwords.hash_password(typed)

    assert passwords.verify(typed, as_typed)
    assert passwords.outdated(typed, as_typed)
    assert not passwords.outdated(typed, now)


def test_a_process_computes_one_hash_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, most = 0, 0

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any) -> Any:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            try:
                return original(*given)
            finally:
                at_once -= 1

        return run

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted(argon2.PasswordHasher.verify))
    monkeypatch.setattr(argon2.PasswordHasher, "hash", counted(argon2.PasswordHasher.hash))
    monkeypatch.setattr(bcrypt, "checkpw", counted(bcrypt.checkpw))
    stored = passwords.hash_password("верно")
    old = bcrypt.hashpw("верно".encode(), bcrypt.gensalt(4)).decode()
    works: list[Callable[[], Any]] = [
        lambda: passwords.verify("верно", stored),
        lambda: passwords.verify("неверно", stored),
        lambda: passwords.verify("верно", None),
        lambda: passwords.verify("верно", "$argon2id$broken"),
        lambda: passwords.verify("верно", old),
        lambda: passwords.hash_password("другое"),
    ]
    with ThreadPoolExecutor(len(works)) as pool:
        answers = [future.result() for future in [pool.submit(work) for work in works]]

    assert answers[:5] == [True, False, False, False, True]
    assert most == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a priority for each thread")
def test_hashes_give_way_to_requests() -> None:
    assert passwords.HASHING.submit(os.nice, 0).result() == min(19, os.nice(0) + passwords.NICENESS)


def test_passwords_are_hashed_where_a_thread_may_not_change_its_priority(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: int) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "nice", refuse)
    monkeypatch.setattr(passwords, "HASHING", ThreadPoolExecutor(1, initializer=passwords._give_way))
    assert passwords.verify("correct horse", passwords.hash_password("correct horse"))
