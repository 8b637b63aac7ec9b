"""Access tokens: issuing one, and who the caller of the present request is."""

from datetime import timedelta

from flask import Flask, Response, current_app, request
from flask_jwt_extended import JWTManager, create_access_token, decode_token
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt import PyJWTError

from nexus.config import Settings
from nexus.errors import Unauthenticated
from nexus.models.users import User
from nexus.security.origins import refuse_cross_origin

LIFETIME = timedelta(hours=2)
COOKIE = "token"


def init_app(app: Flask, settings: Settings) -> None:
    """Set up flask-jwt-extended; of its configuration we use the key, the algorithm and the lifetime."""
    app.config.update(
        JWT_SECRET_KEY=settings.jwt_secret_key,
        JWT_ACCESS_TOKEN_EXPIRES=LIFETIME,
        JWT_ENCODE_NBF=False,
        # Cookies are guarded by where a request comes from; see origins.py.
        JWT_COOKIE_CSRF_PROTECT=False,
        COOKIE_SECURE=not settings.development,
    )
    JWTManager(app)


def issue(user: User) -> str:
    """A signed access token for two hours, with claims `sub` (string), `id`, `email`, `iat` and `exp`."""
    claims = {"id": user.id, "email": user.email}
    token: str = create_access_token(identity=str(user.id), additional_claims=claims)
    return token


def set_cookie(response: Response, token: str) -> None:
    """Give the token to a browser as well, out of reach of scripts and of other sites."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=LIFETIME,
        secure=current_app.config["COOKIE_SECURE"],
        httponly=True,
        samesite="Strict",
    )


def current_user() -> User | None:
    """The signed-in account, or None for a caller without one.

    A Bearer that is not valid is Unauthenticated; a cookie that is not valid is as good as none.
    """
    scheme, *credential = request.headers.get("Authorization", "").split(maxsplit=1) or [""]
    if scheme.lower() == "bearer":
        user = _owner("".join(credential).strip())
        if user is None:
            raise Unauthenticated
        return user
    user = _owner(request.cookies.get(COOKIE, ""))
    if user is not None:
        # Browsers send cookies along whichever page made the request, so that page must be one of ours.
        refuse_cross_origin()
    return user


def _owner(token: str) -> User | None:
    try:
        claims = decode_token(token)
    except (JWTExtendedException, PyJWTError, ValueError):
        return None
    if claims.get("type") != "access" or claims.get("sub") != str(claims.get("id")):
        return None
    return User.by_id(claims["id"]).first() if type(claims["id"]) is int else None
