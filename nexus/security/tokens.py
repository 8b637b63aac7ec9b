"""Access tokens and cookies: how they are issued, and how the caller of a request is authenticated."""

import hashlib
import hmac
from datetime import timedelta
from functools import lru_cache
from time import time
from uuid import UUID

from flask import Flask, Request, current_app, request
from flask_jwt_extended import JWTManager, create_access_token
from jwt import PyJWTError, get_unverified_header
from jwt import decode as decoded
from werkzeug.wrappers import Response

from nexus.config import Settings
from nexus.errors import Unauthenticated
from nexus.models.sessions import IDLE_DAYS, Caller, Session
from nexus.security.origins import refuse_cross_origin

LIFETIME = timedelta(hours=2)
#: Seconds by which the clock of the process that signed a token may be ahead of ours.
LEEWAY = 5
COOKIE = "token"
REFRESH_COOKIE = "refresh"
#: How many recently verified tokens a process caches.
CACHED = 4096
#: Only these calls take the refresh token, so a browser sends it to no others.
REFRESH_PATH = "/api/auth"


def init_app(app: Flask, settings: Settings) -> None:
    """Set up flask-jwt-extended, of which we only use the issuing of tokens."""
    keys = settings.jwt_keys
    app.config.update(
        JWT_SECRET_KEY=keys[0],
        JWT_KEYS={key_name(key): key for key in keys},
        JWT_ACCESS_TOKEN_EXPIRES=LIFETIME,
        JWT_ENCODE_NBF=False,
        # Cookies are guarded by where a request comes from; see origins.py.
        JWT_COOKIE_CSRF_PROTECT=False,
        COOKIE_SECURE=not settings.development,
        # Derived keys, so that the key of access tokens cannot be used to make refresh tokens.
        REFRESH_KEYS=[hmac.digest(key.encode(), b"refresh tokens", "sha256") for key in keys],
    )
    JWTManager(app)


def key_name(key: str) -> str:
    """The `kid` of tokens signed by this key."""
    return hashlib.sha256(b"key name" + key.encode()).hexdigest()[:8]


def issue(session: Session) -> str:
    """A signed access token, valid for LIFETIME, with `sub` (string), `id`, `email`, `sid`, `iat`, `exp`."""
    user = session.user
    claims = {"id": user.id, "email": user.email, "sid": str(session.id)}
    signer = {"kid": key_name(current_app.config["JWT_SECRET_KEY"])}
    token: str = create_access_token(str(user.id), additional_claims=claims, additional_headers=signer)
    return token


def set_cookies(response: Response, *, token: str, refresh_token: str) -> None:
    """Also set both tokens as cookies, which scripts cannot read and other sites cannot send."""
    _set_cookie(response, COOKIE, token, LIFETIME, "/")
    _set_cookie(response, REFRESH_COOKIE, refresh_token, timedelta(days=IDLE_DAYS), REFRESH_PATH)


def clear_cookies(response: Response) -> None:
    """Delete both cookies."""
    _set_cookie(response, COOKIE, "", timedelta(0), "/")
    _set_cookie(response, REFRESH_COOKIE, "", timedelta(0), REFRESH_PATH)


def _set_cookie(response: Response, name: str, value: str, life: timedelta, path: str) -> None:
    secure = current_app.config["COOKIE_SECURE"]
    response.set_cookie(name, value, life, path=path, secure=secure, httponly=True, samesite="Strict")


def current_session(request: Request) -> Caller | None:
    """The session of a request's caller, with its account loaded, or None if there is none.

    An invalid Bearer token raises Unauthenticated; an invalid cookie is ignored.
    """
    scheme, *credential = request.environ.get("HTTP_AUTHORIZATION", "").split(maxsplit=1) or [""]
    if scheme.lower() == "bearer":
        session = _session_of("".join(credential).strip())
        if session is None:
            raise Unauthenticated
        return session
    session = _session_of(_cookie(request, COOKIE))
    if session is not None:
        # Browsers send cookies along whatever page made the request, so that page must be one of ours.
        refuse_cross_origin()
    return session


def _session_of(token: str) -> Caller | None:
    if not token:
        return None
    try:
        session_id, user_id, until = _verified(token, _key_of(token))
    except (PyJWTError, ValueError, KeyError, AttributeError, TypeError):
        return None
    return Session.of_caller(session_id, user_id=user_id) if until > time() else None


@lru_cache(CACHED)
def _verified(token: str, key: str) -> tuple[UUID, int, int]:
    """The session id, the account id and the expiry (seconds since 1970) of a token.

    Raises PyJWTError if this key did not sign it, and ValueError, KeyError and the like if it is malformed.
    """
    # The caller checks the expiry, since this result is cached.
    claims = decoded(token, key, algorithms=["HS256"], options={"verify_exp": False}, leeway=LEEWAY)
    user_id, until = claims["id"], claims["exp"]
    if claims["type"] != "access" or claims["sub"] != str(user_id) or {type(user_id), type(until)} != {int}:
        raise ValueError
    return UUID(claims["sid"]), user_id, until


def _key_of(token: str) -> str:
    """The key that a token must be signed with: of several, the one that its `kid` names."""
    keys: dict[str, str] = current_app.config["JWT_KEYS"]
    first, *others = keys.values()
    return keys.get(get_unverified_header(token).get("kid", ""), first) if others else first


def presented_refresh_token(given: str | None) -> str:
    """The refresh token from the body, or else from the cookie, which pages of other sites cannot use."""
    if given is not None:
        return given
    cookie = _cookie(request, REFRESH_COOKIE)
    if not cookie:
        raise Unauthenticated
    refuse_cross_origin()
    return cookie


def _cookie(request: Request, name: str) -> str:
    """The value of a cookie; several cookies of one name count as none.

    A sibling domain can plant a second cookie of that name, which the browser may send first: the visitor
    would then act in the account of whoever planted it.
    """
    values = request.cookies.getlist(name) if "HTTP_COOKIE" in request.environ else []
    return values[0] if len(values) == 1 else ""
