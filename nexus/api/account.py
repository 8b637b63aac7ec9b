"""The signed-in account: its sessions, its password, its e-mail address and its deletion."""

from uuid import UUID

from flask import Blueprint, Response

from nexus.api.endpoint import endpoint, reply
from nexus.api.passwords import confirming, refuse_as_email, refuse_weak
from nexus.errors import EmailTaken, InvalidCredentials, InvalidResetToken, NotFound, OpenOrders, Throttled
from nexus.models import accounts
from nexus.models.sessions import Caller, Session
from nexus.models.users import User
from nexus.schemas.auth import (
    EmailChange,
    Farewell,
    PasswordChange,
    PasswordReset,
    SessionList,
    UserAnswer,
    session_out,
    user_out,
)
from nexus.security import journal, throttle, tokens

account = Blueprint("account", __name__, url_prefix="/auth")


@account.get("/sessions")
@endpoint(sign_in="required", session=True, answer=SessionList)
def list_sessions(session: Caller) -> SessionList:
    """List the sessions of the signed-in account, newest first."""
    return {"sessions": [session_out(one, current=session.id) for one in Session.of_user(session.user_id)]}


@account.delete("/sessions/<uuid:session_id>")
@endpoint(sign_in="required", status=204, errors=(NotFound,))
def end_session(session_id: UUID, user: User) -> None:
    """End one of the account's own sessions."""
    if not Session.end(session_id, user_id=user.id):
        raise NotFound
    journal.record("session_ended", user=user.id, session=session_id, by="owner")


@account.post("/password")
@endpoint(
    body=PasswordChange,
    sign_in="required",
    session=True,
    status=204,
    errors=(InvalidCredentials, Throttled),
)
def change_password(body: PasswordChange, session: Caller) -> None:
    """Set a new password, and end every other session."""
    throttle.at_password(session)
    user = session.user
    refuse_weak(body.new_password, field="newPassword", email=user.email)
    with confirming(user):
        accounts.change_password(user, current=body.current_password, new=body.new_password, keep=session.id)
    journal.record("password_changed", user=user.id, by="owner")


@account.post("/reset")
@endpoint(body=PasswordReset, status=204, errors=(InvalidResetToken, Throttled))
def reset_password(body: PasswordReset) -> None:
    """Set a new password with a reset token from the operator, and end every session."""
    throttle.from_address("reset")
    owner = accounts.Reset.owner(body.token)
    refuse_weak(body.new_password, field="newPassword", email=owner.email)
    accounts.reset_password(body.token, new=body.new_password)
    journal.record("password_changed", user=owner.id, by="reset")


@account.patch("/me")
@endpoint(
    body=EmailChange,
    sign_in="required",
    session=True,
    answer=UserAnswer,
    errors=(InvalidCredentials, EmailTaken, Throttled),
)
def change_email(body: EmailChange, session: Caller) -> UserAnswer:
    """Change the account's e-mail address."""
    throttle.at_password(session)
    refuse_as_email(body.email, password=body.current_password)
    with confirming(session.user):
        changed = accounts.change_email(session.user, email=body.email, current=body.current_password)
    journal.record("email_changed", user=session.user_id)
    return {"user": user_out(changed)}


@account.delete("/me")
@endpoint(
    body=Farewell,
    sign_in="required",
    session=True,
    status=204,
    errors=(InvalidCredentials, OpenOrders, Throttled),
    headers=("Set-Cookie",),
)
def leave(body: Farewell, session: Caller) -> Response:
    """Delete the account and its products."""
    throttle.at_password(session)
    with confirming(session.user):
        accounts.leave(session.user, password=body.password)
    journal.record("account_erased", user=session.user_id, by="owner")
    response = reply(None)
    tokens.clear_cookies(response)
    return response
