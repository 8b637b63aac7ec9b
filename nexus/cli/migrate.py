"""`flask migrate`, `flask db status` and `flask db rollback`."""

import json
from dataclasses import asdict

import click
from flask import current_app

from nexus.cli.failing import plainly
from nexus.cli.printing import as_json
from nexus.config import Settings
from nexus.migrate import History


def say_waiting(holder: str) -> None:
    """Say why nothing happens, on standard error, apart from the output of the command."""
    click.echo(f"waiting: {holder}", err=True)


@click.command()
@click.option("--to", metavar="NAME", help="Stop after this migration, given by name or number.")
@click.option("--plan", is_flag=True, help="Print the SQL that would run, and change nothing.")
@as_json("the list")
@plainly
def migrate(*, to: str | None, plan: bool, as_json: bool) -> None:
    """Apply the pending migrations."""
    history = History.of(current_app.config["SETTINGS"], waiting=say_waiting)
    if plan:
        _plan(history, to=to, as_json=as_json)
        return
    if as_json:
        click.echo(json.dumps(history.migrate(to=to)))
        return
    if not history.migrate(to=to, tell=lambda name: click.echo(f"applied {name}")):
        click.echo("nothing to migrate: the database is up to date")


def _plan(history: History, *, to: str | None, as_json: bool) -> None:
    plans = history.plan(to=to)
    if as_json:
        click.echo(json.dumps([asdict(plan) for plan in plans], ensure_ascii=False))
        return
    for plan in plans:
        manner = "in a transaction" if plan.transaction else "outside a transaction"
        click.echo(f"-- {plan.name}, {manner}\n{plan.sql}\n")
    if not plans:
        click.echo("-- nothing to migrate: the database is up to date")


@click.command()
@click.option("--count", type=click.IntRange(min=1), default=1, help="How many migrations; 1 by default.")
@click.option("--yes", is_flag=True, help="Required in production, since undoing a migration can lose rows.")
@as_json("the list")
@plainly
def rollback(*, count: int, yes: bool, as_json: bool) -> None:
    """Undo the last migration, or the last few with --count."""
    settings: Settings = current_app.config["SETTINGS"]
    history = History.of(settings, waiting=say_waiting)
    if not settings.development and not yes:
        last = [state.name for state in history.states() if state.applied_at][-count:]
        if last:
            names = ", ".join(reversed(last))
            raise click.ClickException(
                f"this is production: undoing {names} can lose rows; add --yes to do it"
            )
    if as_json:
        click.echo(json.dumps(history.rollback(count=count)))
        return
    if not history.rollback(count=count, tell=lambda name: click.echo(f"undone {name}")):
        click.echo("nothing to undo: no migration has been applied")


@click.command()
@as_json("the list")
@plainly
def status(*, as_json: bool) -> None:
    """List the migrations: which were applied and when, and whose file was edited or is missing."""
    states = History.of(current_app.config["SETTINGS"]).states()
    if as_json:
        listed = [
            {
                "name": state.name,
                "applied": state.applied_at is not None,
                "appliedAt": state.applied_at and state.applied_at.isoformat(timespec="seconds"),
                "edited": state.edited,
                "missing": state.missing,
            }
            for state in states
        ]
        click.echo(json.dumps(listed))
        return
    for state in states:
        if state.applied_at is None:
            click.echo(f"pending  {state.name}")
            continue
        remark = "  edited since" if state.edited else "  its file is missing" if state.missing else ""
        click.echo(f"applied  {state.name}  {state.applied_at:%Y-%m-%d %H:%M:%S} UTC{remark}")
