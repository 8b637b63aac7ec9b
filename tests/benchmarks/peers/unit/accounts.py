"""Signing in, and who is signed in."""

import hashlib
import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

import bcrypt
from flask import Blueprint, Response, abort, jsonify, request
from flask_jwt_extended import JWTManager, create_access_token, current_user, jwt_required
from models import RefreshToken, Session, User, database
from peewee import fn
from representations import SignIn, user_out

LIFETIME = timedelta(hours=2)
IDLE = timedelta(days=30)
#: What a password is checked against where no account has the address, so that it takes as long.
NOBODY = bcrypt.hashpw(b"nobody", bcrypt.gensalt(10)).decode()

accounts = Blueprint("accounts", __name__, url_prefix="/api/auth")
jwt = JWTManager()


@jwt.user_lookup_loader
def load(_: dict[str, Any], claims: dict[str, Any]) -> User | None:
    """The account of the caller's session, which was not ended."""
    ours = (Session.id == UUID(claims["sid"])) & (Session.user == claims["id"]) & Session.ended_at.is_null()
    session = Session.select(Session, User).join(User).where(ours).first()
    return session.user if session else None


@jwt.invalid_token_loader
def refuse(_: str) -> tuple[Response, int]:
    """A token that is none is the caller's not being signed in."""
    return jsonify(error="sign in"), 401


@accounts.get("/me")
@jwt_required()
def me() -> Response:
    """Tell who is signed in."""
    return jsonify(user=user_out(current_user))


@accounts.post("/login")
def login() -> Response:
    """Sign in with e-mail and password."""
    body = SignIn.model_validate(request.get_json())
    user = User.get_or_none(fn.lower(User.email) == fn.lower(body.email))
    # Only 72 bytes count for bcrypt, which refuses more.
    matches = bcrypt.checkpw(body.password.encode()[:72], (user.password if user else NOBODY).encode())
    if user is None or not matches:
        abort(401)
    refresh_token = secrets.token_urlsafe(32)
    with database.atomic():
        agent = request.headers.get("User-Agent", "")[:255]
        session = Session.create(user=user, user_agent=agent, address=request.remote_addr)
        RefreshToken.create(hash=hashlib.sha256(refresh_token.encode()).hexdigest(), session=session)
    claims = {"id": user.id, "email": user.email, "sid": str(session.id)}
    token = create_access_token(identity=str(user.id), additional_claims=claims)
    response = jsonify(
        success=True,
        token=token,
        refreshToken=refresh_token,
        expiresIn=int(LIFETIME.total_seconds()),
        user=user_out(user),
    )
    how: dict[str, Any] = {"secure": True, "httponly": True, "samesite": "Strict"}
    response.set_cookie("token", token, max_age=LIFETIME, path="/", **how)
    response.set_cookie("refresh", refresh_token, max_age=IDLE, path="/api/auth", **how)
    return response
