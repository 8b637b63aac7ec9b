"""Accounts and sessions: input and output of the API."""

from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from nexus.schemas.fields import Email, Input, Moment, Text, after, rfc3339
from nexus.security.passwords import normalised

if TYPE_CHECKING:
    # nexus.client uses these schemas too, and has no database.
    from nexus.models.sessions import Session
    from nexus.models.users import User

SIGN_IN_BYTES = 1024


def _short(value: str) -> str:
    if len(value.encode()) > SIGN_IN_BYTES:
        raise PydanticCustomError("too_many_bytes", "too many bytes", {"limit": SIGN_IN_BYTES})
    return value


def _normalised(value: object) -> object:
    # As typed, it must be short enough for signing in.
    return normalised(_short(value)) if isinstance(value, str) else value


#: Anything that an imported account may have; only what could do harm is refused.
Credential = Annotated[Text, after(_short)]
#: Characters are counted in the normalised form that is hashed, which is the same on every system.
NewPassword = Annotated[Text, Field(min_length=8, max_length=128), BeforeValidator(_normalised)]


class Registration(Input):
    """A new account."""

    email: Email
    password: NewPassword


class SignIn(Input):
    """An account's credentials."""

    email: Credential
    password: Credential


class Refresh(Input):
    """A refresh token; browsers send it as a cookie instead."""

    refresh_token: Credential | None = None


class PasswordChoice(Input):
    """A new password."""

    new_password: NewPassword


class PasswordChange(PasswordChoice):
    """A new password, and the current one as proof."""

    current_password: Credential


class PasswordReset(PasswordChoice):
    """A new password, and a reset token from the operator as proof."""

    token: Credential


class EmailChange(Input):
    """A new e-mail address, and the current password as proof."""

    email: Email
    current_password: Credential


class Farewell(Input):
    """The password, as proof that the owner wants the account deleted."""

    password: Credential


class UserOut(TypedDict):
    """An account as its owner sees it."""

    id: int
    email: str
    role: str
    createdAt: Moment


class UserAnswer(TypedDict):
    """The signed-in account."""

    user: UserOut


class SessionAnswer(TypedDict):
    """A new or refreshed session; `expiresIn` is the access token's lifetime in seconds."""

    success: Literal[True]
    token: str
    refreshToken: str
    expiresIn: int
    user: UserOut


class SessionOut(TypedDict):
    """A session as its owner sees it; `current` marks the one that makes this request."""

    id: str
    userAgent: str
    address: str
    createdAt: Moment
    refreshedAt: Moment
    current: bool


class SessionList(TypedDict):
    """The live sessions of an account."""

    sessions: list[SessionOut]


def user_out(user: "User") -> UserOut:
    """Represent an account."""
    return {"id": user.id, "email": user.email, "role": user.role, "createdAt": rfc3339(user.created_at)}


def session_out(session: "Session", *, current: UUID) -> SessionOut:
    """Represent a session to a caller whose own session is `current`."""
    return {
        "id": str(session.id),
        "userAgent": session.user_agent,
        "address": session.address,
        "createdAt": rfc3339(session.created_at),
        "refreshedAt": rfc3339(session.refreshed_at),
        "current": session.id == current,
    }
