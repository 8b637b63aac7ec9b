"""Signing in, and who is signed in."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import bcrypt
import jwt
from django.conf import settings
from django.db import transaction
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from shop.models import RefreshToken, Session, User
from shop.serializers import SignIn, UserSerializer

LIFETIME = timedelta(hours=2)
IDLE = timedelta(days=30)
#: What a password is checked against where no account has the address, so that it takes as long.
NOBODY = bcrypt.hashpw(b"nobody", bcrypt.gensalt(10)).decode()


class Bearer(BaseAuthentication):
    """Finds the account of an access token, whose session was not ended."""

    def authenticate(self, request: Request) -> tuple[User, Session] | None:
        """The account and its session; None where no token is shown."""
        scheme, _, token = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        try:
            claims = jwt.decode(token, settings.SECRET_KEY, algorithms=["HS256"])
            session_id, user_id = UUID(claims["sid"]), claims["id"]
        except (jwt.InvalidTokenError, KeyError, ValueError):
            raise AuthenticationFailed from None
        ours = Session.objects.select_related("user").filter(ended_at=None)
        session = ours.filter(pk=session_id, user=user_id).first()
        if session is None:
            raise AuthenticationFailed
        return session.user, session

    def authenticate_header(self, request: Request) -> str:
        """What a caller without a token is asked for."""
        return "Bearer"


class Me(APIView):
    """Tells who is signed in."""

    authentication_classes = (Bearer,)
    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        """The account."""
        return Response({"user": UserSerializer(request.user).data})


class Login(APIView):
    """Signs in with e-mail and password."""

    authentication_classes = (Bearer,)

    def post(self, request: Request) -> Response:
        """Begin a session."""
        given = SignIn(data=request.data)
        given.is_valid(raise_exception=True)
        user = User.objects.filter(email__lower=given.validated_data["email"].lower()).first()
        hashed = user.password if user else NOBODY
        # Only 72 bytes count for bcrypt, which refuses more.
        matches = bcrypt.checkpw(given.validated_data["password"].encode()[:72], hashed.encode())
        if user is None or not matches:
            raise AuthenticationFailed
        session, refresh_token = begin(user, request)
        token = access_token(session)
        data = {
            "success": True,
            "token": token,
            "refreshToken": refresh_token,
            "expiresIn": int(LIFETIME.total_seconds()),
            "user": UserSerializer(user).data,
        }
        response = Response(data)
        set_cookie(response, "token", token, LIFETIME, "/")
        set_cookie(response, "refresh", refresh_token, IDLE, "/api/auth")
        return response


@transaction.atomic
def begin(user: User, request: Request) -> tuple[Session, str]:
    """A session and its refresh token."""
    agent, address = request.headers.get("User-Agent", "")[:255], request.META["REMOTE_ADDR"]
    session = Session.objects.create(user=user, user_agent=agent, address=address)
    token = secrets.token_urlsafe(32)
    RefreshToken.objects.create(hash=hashlib.sha256(token.encode()).hexdigest(), session=session)
    return session, token


def access_token(session: Session) -> str:
    """What shows for two hours who the caller is."""
    now = datetime.now(UTC)
    user = session.user
    claims = {"sub": str(user.id), "id": user.id, "email": user.email, "sid": str(session.id)}
    claims |= {"type": "access", "fresh": False, "jti": str(uuid4()), "iat": now, "exp": now + LIFETIME}
    return jwt.encode(claims, settings.SECRET_KEY, algorithm="HS256")


def set_cookie(response: Response, name: str, value: str, life: timedelta, path: str) -> None:
    """Give a browser a token, out of reach of scripts and of other sites."""
    response.set_cookie(name, value, max_age=life, path=path, secure=True, httponly=True, samesite="Strict")
