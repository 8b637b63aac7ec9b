"""Signing up, signing in, and who is signed in."""

import logging

from flask import Blueprint, Response

from nexus.api.endpoint import endpoint, reply
from nexus.errors import EmailTaken, InvalidCredentials
from nexus.models.users import User
from nexus.schemas.auth import Registration, SessionAnswer, SignIn, UserAnswer, user_out
from nexus.schemas.fields import spellings
from nexus.security import tokens

log = logging.getLogger(__name__)

auth = Blueprint("auth", __name__, url_prefix="/auth")


@auth.post("/register")
@endpoint(body=Registration, answer=SessionAnswer, status=201, errors=(EmailTaken,))
def register(body: Registration) -> Response:
    """Make an account and sign in to it."""
    # %r, so that no text of a client can look like a line of its own.
    log.info("registration attempt: %r", body.email)
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
