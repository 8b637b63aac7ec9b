"""`flask db`: the state of the database."""

import json

import click
from flask.cli import with_appcontext

from nexus.cli.failing import plainly
from nexus.db import session
from nexus.migrate import names, pending


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
@with_appcontext
@plainly
def ping() -> None:
    """Test the connection: print the server's time and version, or fail with the reason."""
    with session() as database:
        moment, version = database.execute_sql("SELECT now(), current_setting('server_version')").fetchone()
    click.echo(f"connected: PostgreSQL {version}, its time is {moment.isoformat()}")


@db.command()
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@with_appcontext
@plainly
def status(*, as_json: bool) -> None:
    """List the migrations, and which of them the database has not seen."""
    with session() as database:
        missing = pending(database)
    found = [{"name": name, "applied": name not in missing} for name in names()]
    if as_json:
        click.echo(json.dumps(found))
        return
    for migration in found:
        click.echo(f"{'applied' if migration['applied'] else 'pending'}  {migration['name']}")
