"""Registering, signing in and out, and who is signed in."""

from flask import Blueprint, Response, current_app

from nexus.api.endpoint import endpoint, reply
from nexus.api.passwords import refuse_weak
from nexus.errors import CrossOrigin, EmailTaken, InvalidCredentials, Throttled, Unauthenticated
from nexus.models.sessions import Caller, Session
from nexus.models.users import User
from nexus.schemas.auth import Refresh, Registration, SessionAnswer, SignIn, UserAnswer, user_out
from nexus.security import journal, throttle, tokens
from nexus.security.signing_in import begin, sign_in

auth = Blueprint("auth", __name__, url_prefix="/auth")


@auth.post("/register")
@endpoint(
    body=Registration,
    answer=SessionAnswer,
    status=201,
    errors=(EmailTaken, Throttled),
    headers=("Set-Cookie",),
)
def register(body: Registration) -> Response:
    """Create an account and sign in to it."""
    throttle.from_address("register")
    refuse_weak(body.password, field="password", email=body.email)
    user = User.register(email=body.email, password=body.password)
    journal.record("registered", user=user.id)
    return _signed_in(*begin(user), status=201)


@auth.post("/login")
@endpoint(body=SignIn, answer=SessionAnswer, errors=(InvalidCredentials, Throttled), headers=("Set-Cookie",))
def login(body: SignIn) -> Response:
    """Sign in with e-mail and password."""
    return _signed_in(*sign_in(email=body.email, password=body.password), status=200)


@auth.post("/refresh")
@endpoint(
    body=Refresh,
    answer=SessionAnswer,
    errors=(Unauthenticated, CrossOrigin, Throttled),
    headers=("Set-Cookie",),
    takes=(tokens.REFRESH_COOKIE,),
)
def refresh(body: Refresh) -> Response:
    """Continue a session: trade its refresh token for a new access token and a new refresh token."""
    # Before the throttle: pages of other sites can call this without a token, and would use up the rate limit
    # of the visitor's address.
    presented = tokens.presented_refresh_token(body.refresh_token)
    throttle.from_address("refresh")
    renewal = Session.renew(presented, keys=current_app.config["REFRESH_KEYS"])
    if renewal is None:
        raise Unauthenticated
    if renewal.token is None:
        journal.record("reuse_detected", user=renewal.session.user_id, session=renewal.session.id)
        raise Unauthenticated
    return _signed_in(renewal.session, renewal.token, status=200)


@auth.post("/logout")
@endpoint(sign_in="required", session=True, status=204, headers=("Set-Cookie",))
def logout(session: Caller) -> Response:
    """End this session; its access token stops working too."""
    Session.end(session.id, user_id=session.user_id)
    journal.record("session_ended", user=session.user_id, session=session.id, by="owner")
    response = reply(None)
    tokens.clear_cookies(response)
    return response


@auth.get("/me")
@endpoint(sign_in="required", answer=UserAnswer)
def me(user: User) -> UserAnswer:
    """Return the signed-in account."""
    return {"user": user_out(user)}


def _signed_in(session: Session, refresh_token: str, *, status: int) -> Response:
    token = tokens.issue(session)
    answer: SessionAnswer = {
        "success": True,
        "token": token,
        "refreshToken": refresh_token,
        "expiresIn": int(tokens.LIFETIME.total_seconds()),
        "user": user_out(session.user),
    }
    response = reply(answer, status)
    tokens.set_cookies(response, token=token, refresh_token=refresh_token)
    return response
