"""`flask seed`."""

import json

import click
from flask import current_app
from flask.cli import with_appcontext

from nexus.cli.failing import plainly
from nexus.config import Settings
from nexus.seed import plant


@click.command()
@click.option("--force", is_flag=True, help="Plant the seed in production, with SEED_PASSWORD.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@with_appcontext
@plainly
def seed(*, force: bool, as_json: bool) -> None:
    """Plant the first seller and products; what is there already stays as it is."""
    settings: Settings = current_app.config["SETTINGS"]
    if not settings.development and not force:
        raise click.ClickException("this is production: add --force to plant the seed here")
    if not settings.development and settings.seed_password is None:
        raise click.ClickException("this is production: set SEED_PASSWORD, the seeded user's password")
    report = plant(settings)
    if as_json:
        click.echo(json.dumps({"created": report.created, "present": report.present}, ensure_ascii=False))
        return
    for what in report.created:
        click.echo(f"created        {what}")
    for what in report.present:
        click.echo(f"already there  {what}")
