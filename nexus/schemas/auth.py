"""Accounts on the wire."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from nexus.models.users import User
from nexus.schemas.fields import Email, Input, Text, after, rfc3339

SIGN_IN_BYTES = 1024


def _short(value: str) -> str:
    if len(value.encode()) > SIGN_IN_BYTES:
        raise PydanticCustomError("too_many_bytes", "too many bytes", {"limit": SIGN_IN_BYTES})
    return value


#: Whatever an old account may have; only what could hurt us is refused.
Credential = Annotated[Text, after(_short)]
NewPassword = Annotated[Text, Field(min_length=8, max_length=128)]


class Registration(Input):
    """A new account."""

    email: Email
    password: NewPassword


class SignIn(Input):
    """What proves who someone is."""

    email: Credential
    password: Credential


class UserOut(TypedDict):
    """An account, as its owner sees it."""

    id: int
    email: str
    createdAt: str


class UserAnswer(TypedDict):
    """The signed-in account."""

    user: UserOut


class SessionAnswer(TypedDict):
    """A fresh sign-in; `expiresIn` is the token's life in seconds."""

    success: Literal[True]
    token: str
    expiresIn: int
    user: UserOut


def user_out(user: User) -> UserOut:
    """Represent an account."""
    return {"id": user.id, "email": user.email, "createdAt": rfc3339(user.created_at)}
