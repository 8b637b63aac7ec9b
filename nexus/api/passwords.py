"""Checks of a new password beyond its length, and the log of wrong current passwords."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import current_app

from nexus.errors import InvalidCredentials, ValidationFailed
from nexus.models.users import User
from nexus.security import journal, strength


@contextmanager
def confirming(user: User) -> Iterator[None]:
    """Write to the security log when somebody who is signed in gives the wrong current password."""
    try:
        yield
    except InvalidCredentials:
        journal.record("password_refused", user=user.id)
        raise


def refuse_weak(password: str, *, field: str, email: str) -> None:
    """Raise ValidationFailed, naming the field, for a password that is the address or easy to guess."""
    least = current_app.config["SETTINGS"].password_min_score
    code = strength.objection(password, email=email, least=least)
    if code is not None:
        raise ValidationFailed([{"field": field, "code": code}])


def refuse_as_email(email: str, *, password: str) -> None:
    """Raise ValidationFailed for a new address that equals the given password, be that right or wrong."""
    if strength.is_the_email(password, email):
        raise ValidationFailed([{"field": "email", "code": "is_the_password"}])
