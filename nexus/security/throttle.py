"""Rate limits: an attacker is slowed down without locking the owner of an account out."""

from collections.abc import Sequence

from flask import Flask, current_app

from nexus import metrics
from nexus.config import Settings
from nexus.errors import Throttled
from nexus.models.buckets import Account, Bucket
from nexus.models.sessions import Caller
from nexus.proxies import neighbourhood
from nexus.security import journal
from nexus.security.address import client_address

#: An account's rate is this many times the per-address rate, so an attacker needs that many addresses to lock
#: its owner out.
ACCOUNT_FACTOR = 5


def init_app(app: Flask, settings: Settings) -> None:
    """Read the rates from the settings; None turns throttling off."""
    rates = {
        "sign_in": settings.rate_limit_sign_in,
        "password": settings.rate_limit_sign_in,
        "reset": settings.rate_limit_sign_in,
        "register": settings.rate_limit_register,
        "refresh": settings.rate_limit_refresh,
        "order": settings.rate_limit_orders,
    }
    app.config["RATES"] = rates if settings.rate_limit_enabled else None


def from_address(kind: str) -> None:
    """Count one call of this kind from the client's address; Throttled if there are too many."""
    _take(kind)


def at_account(emails: Sequence[str]) -> None:
    """Count one sign-in from the client's address to the account with one of these e-mail addresses."""
    _take("sign_in", emails=emails, email=emails[0])


def at_password(session: Caller) -> None:
    """Count one attempt to confirm the password of a signed-in account, by session and by account.

    Whoever stole one session uses up that session's attempts, and not those of the owner's other sessions.
    """
    _take("password", own=str(session.id), emails=[session.user.email], user=session.user_id)


def _take(kind: str, *, own: str | None = None, emails: Sequence[str] = (), **facts: object) -> None:
    if current_app.config["RATES"] is None:
        return
    rate = current_app.config["RATES"][kind]
    place = neighbourhood(client_address())
    account = Account(emails=emails, place=place or None, rate=rate.times(ACCOUNT_FACTOR))
    wait = Bucket.take(place if own is None else own, rate, kind=kind, account=account)
    if wait is not None:
        journal.record("throttled", kind=kind, wait=wait, **facts)
        metrics.counted().throttled.labels(rate=kind).inc()
        raise Throttled(wait=wait)
