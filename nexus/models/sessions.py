"""Sessions: how a sign-in begins one, how it is refreshed, and how it ends."""

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
#: How long a spent token still yields the same successor, for two tabs or a lost response.
GRACE_SECONDS = 10
#: How many characters of a User-Agent header are kept.
USER_AGENT_LENGTH = 255


class PasswordReplaced(InvalidCredentials):
    """The account's password hash is no longer the one that was just verified."""


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
        """Begin a session of an account whose password was just verified; the session and its refresh token.

        Raises PasswordReplaced if the account has another hash by now. A change of the password either waits
        for this statement or is seen by it, so no session begun with the old password survives the change.
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
        """The condition for sessions that were neither ended nor idle for too long."""
        return cls.ended_at.is_null() & (cls.refreshed_at > _idle_since())

    @classmethod
    def of_caller(cls, session_id: UUID, *, user_id: int) -> "Caller | None":
        """The caller of a session that was not ended, or None if there is no such session."""
        for account in _account(session_id=session_id, user_id=user_id):
            return Caller(session_id, user_id, account)
        return None

    @classmethod
    def of_user(cls, user_id: int) -> "peewee.ModelSelect[Session]":
        """An account's live sessions, newest first."""
        theirs = (cls.user == user_id) & cls.alive()
        return cls.select().where(theirs).order_by(cls.created_at.desc(), cls.id.desc())

    @classmethod
    def end(cls, session_id: UUID, *, user_id: int) -> bool:
        """End one session of an account; whether there was such a live session."""
        return bool(cls._end((cls.id == session_id) & (cls.user == user_id) & cls.alive()))

    @classmethod
    def end_all(cls, user_id: int, *, but: UUID | None = None) -> int:
        """End an account's sessions, all or all but one; the number ended."""
        theirs = (cls.user == user_id) & cls.ended_at.is_null()
        return cls._end(theirs if but is None else theirs & (cls.id != but))

    @classmethod
    def _end(cls, which: Any) -> int:
        return int(cls.update(ended_at=fn.now()).where(which).execute())

    @classmethod
    @database.rerun
    def renew(cls, presented: str, *, keys: Sequence[bytes]) -> "Renewal | None":
        """Refresh a session with a refresh token, which works once; None if it belongs to no live session.

        The next token is derived from the presented one and the first key. So a token that is presented again
        within GRACE_SECONDS gets the same successor, while that is unspent, although only hashes are stored;
        the other keys are older ones that may have derived it. Presenting any other spent token ends the
        session, since either that token or its successor was stolen.
        """
        with database.atomic():
            # The row lock serialises refreshes, repeats and the end of one session.
            session: Session | None = (
                cls.select(cls, User)
                .join(User)
                .join_from(cls, RefreshToken)
                .where((RefreshToken.hash == digest(presented)) & cls.alive())
                .for_update(of=cls)
                .first()
            )
            token = RefreshToken.current_row(presented)
            # A token spent long ago may have been swept between the two statements.
            if session is None or token is None:
                return None
            if token.spent_at is None:
                successor = successor_of(presented, keys[0])
                RefreshToken.update(spent_at=fn.now()).where(RefreshToken.hash == token.hash).execute()
                RefreshToken.insert(hash=digest(successor), session=session.id).execute()
                cls.update(refreshed_at=fn.now()).where(cls.id == session.id).execute()
                return Renewal(session, successor)
            unspent = RefreshToken.unspent_of(session.id)
            for successor in (successor_of(presented, key) for key in keys if token.recent):
                if digest(successor) == unspent:
                    return Renewal(session, successor)
            cls._end(cls.id == session.id)
            return Renewal(session, None)

    @classmethod
    def sweep(cls, *, batch: int) -> int:
        """Delete up to `batch` ended or expired sessions, with their tokens; the number deleted."""
        return cls.swept((cls.ended_at <= fn.now()) | (cls.refreshed_at <= _idle_since()), batch=batch)


class RefreshToken(Model):
    """The hash of a refresh token; each session has exactly one unspent token."""

    hash = peewee.TextField(primary_key=True)
    session = peewee.ForeignKeyField(Session, on_delete="CASCADE", index=False, lazy_load=False)
    session_id: UUID
    spent_at = TimeField(null=True)
    #: Only set by `current_row`: spent within GRACE_SECONDS, so that its successor may be issued again.
    recent: bool

    class Meta:
        """Peewee's options."""

        table_name = "refresh_tokens"

    @classmethod
    def current_row(cls, token: str) -> "RefreshToken | None":
        """The current row of a token."""
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
        """Delete up to `batch` tokens that were spent long ago; the number deleted."""
        return cls.swept(cls.spent_at <= _idle_since(), batch=batch)


class Caller(NamedTuple):
    """What every request needs of a session: its id, and its account as a row."""

    id: UUID
    user_id: int
    user: Any


class Renewal(NamedTuple):
    """A refreshed session and its next refresh token; None: a spent token was presented, which ended it."""

    session: Session
    token: str | None


@statement(prepared=True)
def _account(*, session_id: Any, user_id: Any) -> Any:
    ours = (Session.id == session_id) & (Session.user == user_id) & Session.ended_at.is_null()
    return User.select().join(Session).where(ours)


def digest(token: str) -> str:
    """The hash of a token as it is stored; tokens are random enough for a fast hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def successor_of(token: str, key: bytes) -> str:
    """The successor of a refresh token."""
    code = hmac.digest(key, token.encode(), "sha256")
    return urlsafe_b64encode(code).rstrip(b"=").decode()


def _idle_since() -> SQL:
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
