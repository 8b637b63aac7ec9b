"""Signing in, and who is signed in."""

import hashlib
import os
import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID, uuid4

import bcrypt
import jwt
from database import Database
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from models import RefreshToken, Session, User
from schemas import SessionAnswer, SignIn, UserAnswer
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

SECRET = os.environ["JWT_SECRET_KEY"]
LIFETIME = timedelta(hours=2)
IDLE = timedelta(days=30)
#: What a password is checked against where no account has the address, so that it takes as long.
NOBODY = bcrypt.hashpw(b"nobody", bcrypt.gensalt(10)).decode()

router = APIRouter(prefix="/api/auth")
bearer = HTTPBearer()


async def current_user(
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)], db: Database
) -> User:
    """The account of the caller's session, which was not ended."""
    try:
        claims = jwt.decode(credentials.credentials, SECRET, algorithms=["HS256"])
        session_id, user_id = UUID(claims["sid"]), claims["id"]
    except (jwt.InvalidTokenError, KeyError, ValueError):
        raise HTTPException(401) from None
    ours = (Session.id == session_id, Session.user_id == user_id, Session.ended_at.is_(None))
    session = await db.scalar(select(Session).where(*ours).options(joinedload(Session.user, innerjoin=True)))
    if session is None:
        raise HTTPException(401)
    return session.user


@router.get("/me")
async def me(user: Annotated[User, Depends(current_user)]) -> UserAnswer:
    """Tell who is signed in."""
    return UserAnswer.model_validate({"user": user})


@router.post("/login")
async def login(body: SignIn, db: Database, request: Request, response: Response) -> SessionAnswer:
    """Sign in with e-mail and password."""
    user = await db.scalar(select(User).where(func.lower(User.email) == func.lower(body.email)))
    hashed = user.password if user else NOBODY
    # Only 72 bytes count for bcrypt, which refuses more. It takes long, and the loop goes on meanwhile.
    given = body.password.encode()[:72]
    matches = await run_in_threadpool(bcrypt.checkpw, given, hashed.encode())
    if user is None or not matches:
        raise HTTPException(401)
    refresh_token = secrets.token_urlsafe(32)
    session = Session(
        id=uuid4(),
        user=user,
        user_agent=request.headers.get("User-Agent", "")[:255],
        address=request.client.host if request.client else "",
        refresh_tokens=[RefreshToken(hash=hashlib.sha256(refresh_token.encode()).hexdigest())],
    )
    db.add(session)
    await db.commit()
    token = access_token(session)
    set_cookie(response, "token", token, LIFETIME, "/")
    set_cookie(response, "refresh", refresh_token, IDLE, "/api/auth")
    return SessionAnswer.model_validate(
        {
            "success": True,
            "token": token,
            "refresh_token": refresh_token,
            "expires_in": int(LIFETIME.total_seconds()),
            "user": user,
        }
    )


def access_token(session: Session) -> str:
    """What shows for two hours who the caller is."""
    now = datetime.now(UTC)
    user = session.user
    claims = {"sub": str(user.id), "id": user.id, "email": user.email, "sid": str(session.id)}
    claims |= {"type": "access", "fresh": False, "jti": str(uuid4()), "iat": now, "exp": now + LIFETIME}
    return jwt.encode(claims, SECRET, algorithm="HS256")


def set_cookie(response: Response, name: str, value: str, life: timedelta, path: str) -> None:
    """Give a browser a token, out of reach of scripts and of other sites."""
    age = int(life.total_seconds())
    response.set_cookie(name, value, max_age=age, path=path, secure=True, httponly=True, samesite="strict")
