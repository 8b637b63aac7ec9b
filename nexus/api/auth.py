"""Signing up, signing in, and who is signed in."""

import logging

from flask import Blueprint, Response, current_app

from nexus.api.endpoint import endpoint, reply
from nexus.errors import EmailTaken, InvalidCredentials, InvalidResetToken, OpenOrders, ValidationFailed
from nexus.models import accounts
from nexus.models.users import User
from nexus.schemas.auth import (
    EmailChange,
    Farewell,
    PasswordChange,
    PasswordReset,
    Registration,
    SessionAnswer,
    SignIn,
    UserAnswer,
    user_out,
)
from nexus.schemas.fields import spellings
from nexus.security import journal, strength, tokens

log = logging.getLogger(__name__)

auth = Blueprint("auth", __name__, url_prefix="/auth")


@auth.post("/register")
@endpoint(body=Registration, answer=SessionAnswer, status=201, errors=(EmailTaken,))
def register(body: Registration) -> Response:
    """Make an account and sign in to it."""
    # %r, so that no text of a client can look like a line of its own.
    log.info("registration attempt: %r", body.email)
    _refuse_weak(body.password, field="password", email=body.email)
    user = User.register(email=body.email, password=body.password)
    log.info("registered: user %d", user.id)
    return _signed_in(user, 201)


@auth.post("/login")
@endpoint(body=SignIn, answer=SessionAnswer, errors=(InvalidCredentials,))
def login(body: SignIn) -> Response:
    """Sign in with e-mail and password."""
    log.info("sign-in attempt: %r", body.email)
    try:
        user = User.sign_in(emails=spellings(body.email), password=body.password)
    except InvalidCredentials:
        log.info("sign-in refused: invalid credentials")
        raise
    log.info("signed in: user %d", user.id)
    return _signed_in(user, 200)


@auth.get("/me")
@endpoint(sign_in="required", answer=UserAnswer)
def me(user: User) -> UserAnswer:
    """Tell who is signed in."""
    return {"user": user_out(user)}


@auth.post("/password")
@endpoint(body=PasswordChange, sign_in="required", status=204, errors=(InvalidCredentials,))
def change_password(body: PasswordChange, user: User) -> None:
    """Choose another password."""
    _refuse_weak(body.new_password, field="newPassword", email=user.email)
    accounts.change_password(user, current=body.current_password, new=body.new_password)
    journal.record("password_changed", user=user.id, by="owner")


@auth.post("/reset")
@endpoint(body=PasswordReset, status=204, errors=(InvalidResetToken,))
def reset_password(body: PasswordReset) -> None:
    """Choose another password by a token of the operator's."""
    owner = accounts.Reset.owner(body.token)
    _refuse_weak(body.new_password, field="newPassword", email=owner.email)
    accounts.reset_password(body.token, new=body.new_password)
    journal.record("password_changed", user=owner.id, by="reset")


@auth.patch("/me")
@endpoint(body=EmailChange, sign_in="required", answer=UserAnswer, errors=(InvalidCredentials, EmailTaken))
def change_email(body: EmailChange, user: User) -> UserAnswer:
    """Take another e-mail address."""
    changed = accounts.change_email(user, email=body.email, current=body.current_password)
    journal.record("email_changed", user=user.id)
    return {"user": user_out(changed)}


@auth.delete("/me")
@endpoint(body=Farewell, sign_in="required", status=204, errors=(InvalidCredentials, OpenOrders))
def leave(body: Farewell, user: User) -> Response:
    """Give up the account with its products."""
    accounts.leave(user, password=body.password)
    journal.record("account_erased", user=user.id, by="owner")
    response = reply(None)
    response.delete_cookie(tokens.COOKIE)
    return response


def _refuse_weak(password: str, *, field: str, email: str) -> None:
    least = current_app.config["SETTINGS"].password_min_score
    code = strength.objection(password, email=email, least=least)
    if code is not None:
        raise ValidationFailed([{"field": field, "code": code}])


def _signed_in(user: User, status: int) -> Response:
    token = tokens.issue(user)
    answer: SessionAnswer = {
        "success": True,
        "token": token,
        "expiresIn": int(tokens.LIFETIME.total_seconds()),
        "user": user_out(user),
    }
    response = reply(answer, status)
    tokens.set_cookie(response, token)
    return response
