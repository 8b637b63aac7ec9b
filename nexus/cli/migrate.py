"""`flask migrate`."""

import click
from flask import current_app
from flask.cli import with_appcontext

from nexus.cli.failing import plainly
from nexus.migrate import History


@click.command()
@with_appcontext
@plainly
def migrate() -> None:
    """Apply the migrations that the database has not seen yet."""
    applied = History.of(current_app.config["SETTINGS"]).migrate()
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("nothing to migrate: the database is up to date")
