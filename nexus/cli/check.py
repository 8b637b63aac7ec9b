"""`flask db check` and `flask db revision`: comparing the models with the database."""

import json
from typing import Any

import click
from flask import current_app

from nexus.cli.failing import plainly
from nexus.cli.printing import as_json
from nexus.migrate import History
from nexus.migrate.check import differences, disagreements, lines
from nexus.migrate.draft import write


@click.command()
@as_json("the list")
@plainly
def check(*, as_json: bool) -> None:
    """List the differences between database, models and migration files; exit with 1 if there are any."""
    history = History.of(current_app.config["SETTINGS"])
    listed: list[dict[str, Any]] = [{"kind": "history", "text": line} for line in disagreements(history)]
    found = differences(history)
    for one in found:
        thing = one.thing._asdict() | {"database": one.left, "models": one.right}
        listed += [thing | {"text": line} for line in lines([one])]
    if as_json:
        click.echo(json.dumps(listed, ensure_ascii=False))
    else:
        shown = [one["text"] for one in listed if one["kind"] == "history"] + lines(found)
        click.echo("\n".join(shown) or "the database matches the models and the migrations")
    if listed:
        raise SystemExit(1)


@click.command()
@click.argument("name")
@as_json("the path, and what is left to do by hand,")
@plainly
def revision(*, name: str, as_json: bool) -> None:
    """Draft the next migration, NAME, from the differences between the database and the models."""
    path, left = write(History.of(current_app.config["SETTINGS"]), name)
    if as_json:
        click.echo(json.dumps({"path": str(path), "left": left}, ensure_ascii=False))
        return
    click.echo(f"drafted {path}: read it, complete it, then run flask db rehearse")
    for line in left:
        click.echo(f"left to you: {line}")
