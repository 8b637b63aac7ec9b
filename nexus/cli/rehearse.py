"""`flask db rehearse`."""

import json
import re
from dataclasses import asdict

import click
from flask import current_app

from nexus.cli.failing import plainly
from nexus.cli.printing import as_json
from nexus.migrate import History
from nexus.migrate.observed import Lock, Statement
from nexus.migrate.rehearse import Rehearsal
from nexus.migrate.rehearse import rehearse as run_through
from nexus.transfer.whole import stoppable

LEADING = re.compile(r"\A(?:\s*--[^\n]*\n)+")


@click.command()
@click.option(
    "--data", is_flag=True, help="Copy the rows too, which takes as long as a backup plus a restore."
)
@as_json("the report")
@plainly
def rehearse(*, data: bool, as_json: bool) -> None:
    """Run pending migrations up, down and up again in a copy of the database; show what they would block."""
    # The copy must also be dropped when a platform stops the command.
    with stoppable():
        rehearsal = run_through(History.of(current_app.config["SETTINGS"]), data=data)
    if as_json:
        click.echo(json.dumps(_listed(rehearsal), ensure_ascii=False))
    elif rehearsal.acts:
        _print(rehearsal)
    else:
        click.echo("nothing to rehearse: no migration is pending")
    if rehearsal.problems:
        raise SystemExit(1)


def _print(rehearsal: Rehearsal) -> None:
    for act in rehearsal.acts:
        click.echo(f"{act.migration}, {act.direction}:")
        for statement in act.statements:
            click.echo(f"{statement.seconds * 1000:>10.1f} ms  {_short(statement.sql)}")
            for line in _effects(statement):
                click.echo(f"{'':>15}{line}")
    for line in (*rehearsal.losses, *rehearsal.problems):
        click.echo(line)
    if not rehearsal.problems:
        click.echo("up, down and up again give the expected schemas")


def _effects(statement: Statement) -> list[str]:
    if not statement.transaction:
        return ["outside a transaction: its locks are released before they can be seen"]
    return [
        f"{_mode(lock)} on {lock.table}" + (f": blocks {lock.blocks}" if lock.blocks else "")
        for lock in statement.locks
    ]


def _short(sql: str) -> str:
    line = " ".join(LEADING.sub("", sql).split())
    return line if len(line) <= 90 else f"{line[:87]}..."


def _mode(lock: Lock) -> str:
    return lock.mode.removesuffix("Lock")


def _listed(rehearsal: Rehearsal) -> dict[str, object]:
    acts = [
        {
            "migration": act.migration,
            "direction": act.direction,
            "statements": [
                {
                    "sql": statement.sql,
                    "milliseconds": round(statement.seconds * 1000, 1),
                    "transaction": statement.transaction,
                    "locks": [
                        {"table": lock.table, "mode": _mode(lock), "blocks": lock.blocks}
                        for lock in statement.locks
                    ],
                }
                for statement in act.statements
            ],
        }
        for act in rehearsal.acts
    ]
    return asdict(rehearsal) | {"acts": acts}
