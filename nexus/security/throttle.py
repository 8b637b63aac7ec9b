"""What may be done how often, and by whom: an attacker is slowed down, and the owner is let in."""

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
PLACES = 5


def init_app(app: Flask, settings: Settings) -> None:
    """Read the rates of the settings; None where nobody is to be held up."""
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
    """Count one call of a kind from the client's address; Throttled when there are too many."""
    _take(kind)


def at_account(emails: Sequence[str]) -> None:
    """Count one sign-in, from the client's address and at the account that has one of these addresses."""
    _take("sign_in", emails=emails, email=emails[0])


def at_password(session: Caller) -> None:
    """Count one try at the password of whoever is signed in, by this session and at the account.

    Whoever stole one session uses up its tries, and not those of the owner's others.
    """
    _take("password", own=str(session.id), emails=[session.user.email], user=session.user_id)


def _take(kind: str, *, own: str | None = None, emails: Sequence[str] = (), **facts: object) -> None:
    if current_app.config["RATES"] is None:
        return
    rate = current_app.config["RATES"][kind]
    place = neighbourhood(client_address())
    account = Account(emails=emails, place=place or None, rate=rate.times(PLACES))
    wait = Bucket.take(place if own is None else own, rate, kind=kind, account=account)
    if wait is not None:
        journal.record("throttled", kind=kind, wait=wait, **facts)
        metrics.counted().throttled.labels(rate=kind).inc()
        raise Throttled(wait=wait)
