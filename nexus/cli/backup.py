"""`flask db backup` and `flask db restore`."""

from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from nexus.cli.failing import plainly
from nexus.transfer.backup import Backup, Server
from nexus.transfer.whole import whole


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace the file where there is one.")
@with_appcontext
@plainly
def backup(*, file: Path, force: bool) -> None:
    """Write the whole shop, its schema and its history into FILE, by pg_dump."""
    server = Server(current_app.config["SETTINGS"])
    with whole(file, replace=force) as output:
        server.back_up(Path(output.name))
    click.echo(f"backed up {server.database} to {file} ({file.stat().st_size} bytes)")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Replace what is there without asking.")
@with_appcontext
@plainly
def restore(*, file: Path, yes: bool) -> None:
    """Make the shop what it was when FILE was written: rows, schema and history, all of it or nothing."""
    server = Server(current_app.config["SETTINGS"])
    backup = Backup(file, server=server)
    if server.tables and not yes:
        what = f"the {server.tables} tables of {server.database}"
        click.confirm(f"Replace {what}, with every row, by the backup of {backup.made}?", abort=True)
    backup.restore()
    click.echo(f"restored {server.database} to the backup of {backup.made}")
