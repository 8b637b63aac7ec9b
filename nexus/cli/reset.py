"""`flask db reset`."""

import click
from flask import current_app

from nexus.cli.failing import plainly
from nexus.cli.migrate import say_waiting
from nexus.cli.terminal import agree
from nexus.config import Settings
from nexus.db import session
from nexus.migrate import History
from nexus.migrate.reset import reset as drop_and_migrate


@click.command()
@click.option("--yes", is_flag=True, help="Skip the confirmation.")
@plainly
def reset(*, yes: bool) -> None:
    """Drop all tables of the shop with all rows, and create them again, empty; in development only."""
    settings: Settings = current_app.config["SETTINGS"]
    if not settings.development:
        raise click.ClickException("this is production: flask db reset works only in development")
    if not yes:
        with session() as database:
            where = "SELECT current_database(), coalesce(host(inet_server_addr()), 'this machine')"
            name, host = database.execute_sql(where).fetchone()
        question = f"Drop every row of the shop in the database {name} on {host}?"
        agree(question, refusal="this drops every row of the shop: add --yes to do it")
    for name in drop_and_migrate(History.of(settings, waiting=say_waiting)):
        click.echo(f"applied {name}")
    click.echo("the shop is empty: flask seed adds the first user and products")
