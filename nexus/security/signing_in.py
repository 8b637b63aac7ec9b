"""Signing in with e-mail and password, shared by the API and the admin pages."""

from collections.abc import Sequence

from flask import request

from nexus import metrics
from nexus.errors import InvalidCredentials
from nexus.models.sessions import PasswordReplaced, Session
from nexus.models.users import User
from nexus.schemas.fields import spellings
from nexus.security import journal, throttle
from nexus.security.address import client_address


def sign_in(*, email: str, password: str) -> tuple[Session, str]:
    """Begin a session; it and its refresh token. InvalidCredentials, or Throttled after too many attempts."""
    emails = spellings(email)
    throttle.at_account(emails)
    try:
        session, refresh_token = _verify(emails, password)
    except InvalidCredentials:
        journal.record("sign_in_failed", email=email)
        metrics.counted().sign_ins.labels(outcome="refused").inc()
        raise
    journal.record("sign_in", user=session.user_id, session=session.id)
    metrics.counted().sign_ins.labels(outcome="signed_in").inc()
    return session, refresh_token


def begin(user: User) -> tuple[Session, str]:
    """Begin a session of an account whose password was just verified; it and its refresh token."""
    # WSGI decodes headers as Latin-1.
    agent = request.headers.get("User-Agent", "").encode("latin-1").decode("utf-8", "replace")
    return Session.begin(user, user_agent=agent, address=client_address())


def _verify(emails: Sequence[str], password: str) -> tuple[Session, str]:
    try:
        return begin(User.sign_in(emails=emails, password=password))
    except PasswordReplaced:
        # A concurrent sign-in may have rehashed the same password: verify once more.
        return begin(User.sign_in(emails=emails, password=password))
