"""Token buckets: how much of a rate somebody has used up, counted by the database for all processes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import peewee
from peewee import fn

from nexus.db import database
from nexus.models.base import Model, TimeField
from nexus.rates import Rate

#: How many of an account's latest sessions say from where it is known.
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
    """The account at which somebody tries: every spelling of its address, and the rate that all share.

    `place` is the IPv4 address or IPv6 network that the try comes from. Where the account has been signed in
    from there lately, its bucket is not asked.
    """

    emails: Sequence[str]
    place: str | None
    rate: Rate


class Bucket(Model):
    """A bucket that is not full; its key is a hash, which says nothing of whose it is."""

    triggers = ()

    key = peewee.TextField(primary_key=True)
    full_at = TimeField()
    # A row is written at every try, and nobody asks when.
    created_at = None
    updated_at = None

    class Meta:
        """Peewee's options."""

        table_name = "buckets"

    @classmethod
    def take(cls, own: str, rate: Rate, *, kind: str, account: Account | None = None) -> int | None:
        """Take a token of the caller's own bucket, and of an account's where one is named.

        None when all had one, else the seconds to wait, 1 or more. Where the own bucket had none, the
        account's is left alone. A kind of tries has buckets of its own, and so has another rate.
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
        """Delete up to so many buckets that are full again; how many."""
        return cls.swept(cls.full_at <= fn.now(), batch=batch)
