"""Accounts on the wire."""

from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from nexus.schemas.fields import Email, Input, Moment, Text, after, rfc3339
from nexus.security.passwords import normalised

if TYPE_CHECKING:
    # Representations are for the client too, which has no database.
    from nexus.models.sessions import Session
    from nexus.models.users import User

SIGN_IN_BYTES = 1024


def _short(value: str) -> str:
    if len(value.encode()) > SIGN_IN_BYTES:
        raise PydanticCustomError("too_many_bytes", "too many bytes", {"limit": SIGN_IN_BYTES})
    return value


def _normalised(value: object) -> object:
    # As it is typed it must be short enough to sign in by.
    return normalised(_short(value)) if isinstance(value, str) else value


#: Whatever an old account may have; only what could hurt us is refused.
Credential = Annotated[Text, after(_short)]
#: Its characters are counted as they are hashed, so that it is as long on every system.
NewPassword = Annotated[Text, Field(min_length=8, max_length=128), BeforeValidator(_normalised)]


class Registration(Input):
    """A new account."""

    email: Email
    password: NewPassword


class SignIn(Input):
    """What proves who someone is."""

    email: Credential
    password: Credential


class Refresh(Input):
    """A refresh token; browsers have it as a cookie."""

    refresh_token: Credential | None = None


class PasswordChoice(Input):
    """A new password."""

    new_password: NewPassword


class PasswordChange(PasswordChoice):
    """A new password, and the present one as proof."""

    current_password: Credential


class PasswordReset(PasswordChoice):
    """A new password, and the operator's token as proof."""

    token: Credential


class EmailChange(Input):
    """A new address, and the password as proof."""

    email: Email
    current_password: Credential


class Farewell(Input):
    """The password, as proof that the account shall go."""

    password: Credential


class UserOut(TypedDict):
    """An account, as its owner sees it."""

    id: int
    email: str
    role: str
    createdAt: Moment


class UserAnswer(TypedDict):
    """The signed-in account."""

    user: UserOut


class SessionAnswer(TypedDict):
    """A sign-in, fresh or refreshed; `expiresIn` is the access token's life in seconds."""

    success: Literal[True]
    token: str
    refreshToken: str
    expiresIn: int
    user: UserOut


class SessionOut(TypedDict):
    """One sign-in, as its owner sees it; `current` is the one that asks."""

    id: str
    userAgent: str
    address: str
    createdAt: Moment
    refreshedAt: Moment
    current: bool


class SessionList(TypedDict):
    """The sign-ins of an account that are alive."""

    sessions: list[SessionOut]


def user_out(user: "User") -> UserOut:
    """Represent an account."""
    created = rfc3339(user.created_at)
    return {"id": user.id, "email": user.email, "role": user.role, "createdAt": created}


def session_out(session: "Session", *, current: UUID) -> SessionOut:
    """Represent a session, to a caller whose own is `current`."""
    return {
        "id": str(session.id),
        "userAgent": session.user_agent,
        "address": session.address,
        "createdAt": rfc3339(session.created_at),
        "refreshedAt": rfc3339(session.refreshed_at),
        "current": session.id == current,
    }
