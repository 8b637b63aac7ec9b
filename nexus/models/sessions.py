"""Sessions: what a sign-in begins, how it goes on, and what ends it."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import peewee
from peewee import SQL, fn

from nexus.db import database, statement
from nexus.errors import InvalidCredentials
from nexus.models.base import Model, TimeField, now
from nexus.models.users import User

#: How long a session lives after its last refresh, and how long a spent token is still recognised.
IDLE_DAYS = 30
#: How long a spent token answers its successor again: two tabs, or an answer that got lost.
GRACE_SECONDS = 10
#: What is kept of a User-Agent header.
USER_AGENT_LENGTH = 255


class PasswordReplaced(InvalidCredentials):
    """The account has another hash than the one that was verified a moment ago."""


class Session(Model):
    """One sign-in, on one device."""

    id = peewee.UUIDField(primary_key=True, constraints=[SQL("DEFAULT gen_random_uuid()")])
    user = peewee.ForeignKeyField(User, on_delete="CASCADE", index=False, lazy_load=False)
    user_id: int
    user_agent = peewee.TextField()
    address = peewee.TextField()
    refreshed_at = TimeField(constraints=[now()])
    ended_at = TimeField(null=True)

    class Meta:
        """Peewee's options."""

        table_name = "sessions"

    @classmethod
    @database.rerun
    def begin(cls, user: User, *, user_agent: str, address: str) -> "tuple[Session, str]":
        """Begin a session of an account whose password was just verified, and make its first refresh token.

        PasswordReplaced when the account has another hash by now. A change of the password waits for this
        statement or is seen by it, so it never leaves a session of the old one behind.
        """
        owner = User.select(User.id, peewee.Value(user_agent[:USER_AGENT_LENGTH]), peewee.Value(address))
        owner = owner.where((User.id == user.id) & (User.password == user.password)).for_update("FOR SHARE")  # type: ignore[arg-type]
        token = secrets.token_urlsafe(32)
        with database.atomic():
            begun = cls.written(cls.insert_from(owner, [cls.user, cls.user_agent, cls.address]))
            if not begun:
                raise PasswordReplaced
            RefreshToken.insert(hash=digest(token), session=begun[0].id).execute()
        begun[0].user = user
        return begun[0], token

    @classmethod
    def alive(cls) -> Any:
        """The condition for sessions that were not ended and were refreshed lately."""
        return cls.ended_at.is_null() & (cls.refreshed_at > _days_ago())

    @classmethod
    def of_caller(cls, session_id: UUID, *, user_id: int) -> "Caller | None":
        """A session of an account that was not ended, or None where there is none."""
        for account in _account(session_id=session_id, user_id=user_id):
            return Caller(session_id, user_id, account)
        return None

    @classmethod
    def of_user(cls, user_id: int) -> "peewee.ModelSelect[Session]":
        """An account's sessions that are alive, newest first."""
        theirs = (cls.user == user_id) & cls.alive()
        return cls.select().where(theirs).order_by(cls.created_at.desc(), cls.id.desc())

    @classmethod
    def end(cls, session_id: UUID, *, user_id: int) -> bool:
        """End one session of an account; whether it was there and alive."""
        return bool(cls._end((cls.id == session_id) & (cls.user == user_id) & cls.alive()))

    @classmethod
    def end_all(cls, user_id: int, *, but: UUID | None = None) -> int:
        """End an account's sessions, all or all but one; how many."""
        theirs = (cls.user == user_id) & cls.ended_at.is_null()
        return cls._end(theirs if but is None else theirs & (cls.id != but))

    @classmethod
    def _end(cls, which: Any) -> int:
        return int(cls.update(ended_at=fn.now()).where(which).execute())

    @classmethod
    @database.rerun
    def renew(cls, presented: str, *, keys: Sequence[bytes]) -> "Renewal | None":
        """Let a session go on by its refresh token, which is good once; None for a token of none alive.

        The next token is made from the one presented and the first key, so the parent of an unspent token
        can be answered the same once more, within ten seconds, though nothing readable is kept; the other
        keys are those that may have made it. Any other spent token ends the session: it was stolen, or its
        successor was.
        """
        with database.atomic():
            # The row lock serialises spending, repeating and ending for each session.
            session: Session | None = (
                cls.select(cls, User)
                .join(User)
                .join_from(cls, RefreshToken)
                .where((RefreshToken.hash == digest(presented)) & cls.alive())
                .for_update(of=cls)
                .first()
            )
            token = RefreshToken.as_it_is(presented)
            # A token that was spent long ago may be swept between the two statements.
            if session is None or token is None:
                return None
            if token.spent_at is None:
                successor = succeed(presented, keys[0])
                RefreshToken.update(spent_at=fn.now()).where(RefreshToken.hash == token.hash).execute()
                RefreshToken.insert(hash=digest(successor), session=session.id).execute()
                cls.update(refreshed_at=fn.now()).where(cls.id == session.id).execute()
                return Renewal(session, successor)
            unspent = RefreshToken.unspent_of(session.id)
            for successor in (succeed(presented, key) for key in keys if token.recent):
                if digest(successor) == unspent:
                    return Renewal(session, successor)
            cls._end(cls.id == session.id)
            return Renewal(session, None)

    @classmethod
    def sweep(cls, *, batch: int) -> int:
        """Delete up to so many sessions that are not alive, with their tokens; how many."""
        return cls.swept((cls.ended_at <= fn.now()) | (cls.refreshed_at <= _days_ago()), batch=batch)


class RefreshToken(Model):
    """What is kept of a refresh token; of each session one is unspent."""

    hash = peewee.TextField(primary_key=True)
    session = peewee.ForeignKeyField(Session, on_delete="CASCADE", index=False, lazy_load=False)
    session_id: UUID
    spent_at = TimeField(null=True)
    #: Set by `as_it_is` only: spent within GRACE_SECONDS, so that its successor may be told again.
    recent: bool

    class Meta:
        """Peewee's options."""

        table_name = "refresh_tokens"

    @classmethod
    def as_it_is(cls, token: str) -> "RefreshToken | None":
        """A token's row, as it is now."""
        lately = cls.spent_at > SQL("now() - make_interval(secs => %s)", (GRACE_SECONDS,))
        known = cls.select(cls, lately.alias("recent")).where(cls.hash == digest(token))
        row: RefreshToken | None = known.first()
        return row

    @classmethod
    def unspent_of(cls, session_id: UUID) -> str | None:
        """The hash of a session's unspent token."""
        unspent = (cls.session == session_id) & cls.spent_at.is_null()
        found: str | None = cls.select(cls.hash).where(unspent).scalar()
        return found

    @classmethod
    def sweep(cls, *, batch: int) -> int:
        """Delete up to so many tokens that were spent long ago; how many."""
        return cls.swept(cls.spent_at <= _days_ago(), batch=batch)


class Caller(NamedTuple):
    """What of a session every request needs: its id, and its account as a row."""

    id: UUID
    user_id: int
    user: Any


class Renewal(NamedTuple):
    """A session and the refresh token by which it goes on, None where presenting a spent one ended it."""

    session: Session
    token: str | None


@statement(prepared=True)
def _account(*, session_id: Any, user_id: Any) -> Any:
    ours = (Session.id == session_id) & (Session.user == user_id) & Session.ended_at.is_null()
    return User.select().join(Session).where(ours)


def digest(token: str) -> str:
    """What is stored of a token: it is random enough that a fast hash keeps it."""
    return hashlib.sha256(token.encode()).hexdigest()


def succeed(token: str, key: bytes) -> str:
    """The refresh token after this one."""
    code = hmac.digest(key, token.encode(), "sha256")
    return urlsafe_b64encode(code).rstrip(b"=").decode()


def _days_ago() -> SQL:
    return SQL("now() - make_interval(days => %s)", (IDLE_DAYS,))


Session.add_index(Session.user, Session.created_at.desc(), Session.id.desc(), name="sessions_of_user")
Session.add_index(Session.refreshed_at, name="sessions_by_refresh")
Session.add_index(Session.ended_at, name="sessions_ended", where=Session.ended_at.is_null(is_null=False))
RefreshToken.add_index(RefreshToken.session, name="refresh_tokens_of_session")
RefreshToken.add_index(
    RefreshToken.session, unique=True, name="refresh_tokens_unspent", where=RefreshToken.spent_at.is_null()
)
RefreshToken.add_index(
    RefreshToken.spent_at, name="refresh_tokens_spent", where=RefreshToken.spent_at.is_null(is_null=False)
)
