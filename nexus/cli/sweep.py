"""`flask db sweep`: deleting expired rows."""

import click

from nexus.cli.failing import plainly, refuse_pending
from nexus.db import session
from nexus.models.accounts import Reset
from nexus.models.buckets import Bucket
from nexus.models.idempotency import IdempotencyKey
from nexus.models.sessions import RefreshToken, Session

BATCH = 1000

SWEEPS = {
    "sessions": Session.sweep,
    "refresh tokens": RefreshToken.sweep,
    "reset tokens": Reset.sweep,
    "buckets": Bucket.sweep,
    "idempotency keys": IdempotencyKey.sweep,
}


@click.command()
@plainly
def sweep() -> None:
    """Delete expired rows, a batch at a time."""
    refuse_pending()
    with session():
        for name, delete in SWEEPS.items():
            total = 0
            # Each batch is a transaction of its own, so that none holds its locks for long.
            while deleted := delete(batch=BATCH):
                total += deleted
            click.echo(f"{name}: {total} deleted")
