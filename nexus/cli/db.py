"""`flask db`: the state of the database."""

import click

from nexus.cli.failing import plainly
from nexus.db import session


@click.group()
def db() -> None:
    """Manage the database."""


@db.command()
@plainly
def ping() -> None:
    """Test the connection: print the server's time and version, or fail with the reason."""
    with session() as database:
        moment, version = database.execute_sql("SELECT now(), current_setting('server_version')").fetchone()
    click.echo(f"connected: PostgreSQL {version}, server time {moment.isoformat()}")
