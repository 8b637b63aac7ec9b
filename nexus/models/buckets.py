"""Token buckets for rate limits, kept in the database so that all processes share them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import peewee
from peewee import fn

from nexus.db import database
from nexus.models.base import Model, TimeField
from nexus.rates import Rate

#: How many of an account's latest sessions say which addresses it signs in from.
LATEST = 100

# GCRA: a token moves `full_at` forward by `spacing`, and is refused once that is more than `reach` ahead.
# ON CONFLICT … WHERE is evaluated under the row lock, so no two callers take the same token.
#
# The caller's bucket is charged first and the account's only then, so nobody drains an account faster than
# their own rate. Rows are locked in this order, accounts by key: no deadlock. The wait is computed from the
# statement's snapshot.
TAKE = """
WITH caller AS (
    SELECT encode(sha256(convert_to(%(own)s, 'UTF8')), 'hex') AS key
), account AS (
    SELECT DISTINCT encode(sha256(convert_to(%(account)s || lower(email), 'UTF8')), 'hex') AS key
    FROM unnest(%(emails)s::text[]) AS spelling (email)
    WHERE NOT EXISTS (
        SELECT FROM (
            SELECT address FROM sessions
            WHERE user_id = (SELECT id FROM users WHERE lower(users.email) = lower(spelling.email))
            ORDER BY created_at DESC, id DESC LIMIT %(latest)s
        ) AS known
        WHERE CASE WHEN address ~ '^[0-9a-f.:]+$' THEN address::inet <<= %(place)s::inet END
    )
), own_token AS (
    INSERT INTO buckets AS bucket (key, full_at)
    SELECT key, now() + %(spacing)s FROM caller
    ON CONFLICT (key) DO UPDATE SET full_at = greatest(bucket.full_at, now()) + %(spacing)s
    WHERE greatest(bucket.full_at, now()) + %(spacing)s <= now() + %(reach)s
    RETURNING key
), account_token AS (
    INSERT INTO buckets AS bucket (key, full_at)
    SELECT key, now() + %(account_spacing)s FROM account WHERE EXISTS (SELECT FROM own_token) ORDER BY key
    ON CONFLICT (key) DO UPDATE SET full_at = greatest(bucket.full_at, now()) + %(account_spacing)s
    WHERE greatest(bucket.full_at, now()) + %(account_spacing)s <= now() + %(account_reach)s
    RETURNING key
)
SELECT extract(epoch FROM CASE
    WHEN NOT EXISTS (SELECT FROM own_token) THEN (
        SELECT coalesce(max(full_at) - now() - %(reach)s, '0') + %(spacing)s
        FROM buckets JOIN caller USING (key))
    WHEN (SELECT count(*) FROM account_token) < (SELECT count(*) FROM account) THEN (
        SELECT coalesce(max(full_at) - now() - %(account_reach)s, '0') + %(account_spacing)s
        FROM buckets JOIN account USING (key))
END)::float
"""


@dataclass(frozen=True, kw_only=True)
class Account:
    """The account that an attempt targets: the spellings of its address, and the rate that all callers share.

    `place` is the IPv4 address or IPv6 network that the attempt comes from. If the account has lately been
    signed in to from there, its bucket is not charged.
    """

    emails: Sequence[str]
    place: str | None
    rate: Rate


class Bucket(Model):
    """A bucket that is not full; its key is a hash that does not reveal whose it is."""

    triggers = ()

    key = peewee.TextField(primary_key=True)
    full_at = TimeField()
    # A row is written at every attempt, and nobody needs to know when.
    created_at = None
    updated_at = None

    class Meta:
        """Peewee's options."""

        table_name = "buckets"

    @classmethod
    def take(cls, own: str, rate: Rate, *, kind: str, account: Account | None = None) -> int | None:
        """Take a token from the caller's own bucket, and one from the account's if an account is given.

        None on success, else the seconds to wait, at least 1. If the caller's own bucket is empty, the
        account's is not charged. Every kind of attempt has its own buckets, and so has every rate.
        """
        at = account or Account(emails=(), place=None, rate=rate)
        values = {
            "own": f"{kind} {rate} {own}",
            "spacing": rate.spacing,
            "reach": rate.reach,
            "account": f"{kind} {at.rate} account ",
            "emails": list(at.emails),
            "place": at.place,
            "latest": LATEST,
            "account_spacing": at.rate.spacing,
            "account_reach": at.rate.reach,
        }
        wait: float | None = database.execute_sql(TAKE, values).fetchone()[0]
        return None if wait is None else max(1, math.ceil(wait))

    @classmethod
    def sweep(cls, *, batch: int) -> int:
        """Delete up to `batch` buckets that are full again; the number deleted."""
        return cls.swept(cls.full_at <= fn.now(), batch=batch)
