"""`flask seed`."""

import json

import click
from flask import current_app

from nexus.cli.failing import plainly, refuse_pending
from nexus.cli.passwords import refuse_weak
from nexus.cli.printing import as_json
from nexus.cli.terminal import bar
from nexus.config import Settings
from nexus.scale import grow
from nexus.seed import plant, sign_in


@click.command()
@click.option(
    "--scale", type=click.IntRange(min=1), metavar="N", help="Create N sellers, with 100 products each."
)
@click.option("--force", is_flag=True, help="Seed in production, with SEED_PASSWORD.")
@as_json("the report")
@plainly
def seed(*, scale: int | None, force: bool, as_json: bool) -> None:
    """Add the first seller and products; existing ones stay unchanged."""
    settings: Settings = current_app.config["SETTINGS"]
    if not settings.development and not force:
        raise click.ClickException("this is production: add --force to seed the shop anyway")
    if not settings.development and settings.seed_password is None:
        raise click.ClickException("this is production: set SEED_PASSWORD, the seeded user's password")
    if settings.seed_password is not None and not settings.development:
        refuse_weak(settings.seed_password, email=sign_in()[0], name="SEED_PASSWORD")
    refuse_pending()
    if scale is None:
        _plant(settings, as_json=as_json)
    else:
        _grow(settings, sellers=scale, as_json=as_json)


def _plant(settings: Settings, *, as_json: bool) -> None:
    report = plant(settings)
    if as_json:
        click.echo(json.dumps({"created": report.created, "present": report.present}, ensure_ascii=False))
        return
    for what in report.created:
        click.echo(f"created        {what}")
    for what in report.present:
        click.echo(f"already there  {what}")


def _grow(settings: Settings, *, sellers: int, as_json: bool) -> None:
    with bar(sellers) as progress:
        report = grow(settings, sellers=sellers, tick=progress.update)
    if as_json:
        click.echo(json.dumps({"created": report.created, "present": {"users": report.present}}))
        return
    click.echo("created        " + ", ".join(f"{count} {table}" for table, count in report.created.items()))
    click.echo(f"already there  {report.present} users")
