"""`flask db backup` and `flask db restore`."""

from pathlib import Path

import click
from flask import current_app

from nexus.cli.failing import plainly
from nexus.cli.terminal import agreed, bar
from nexus.transfer.backup import Backup, Server
from nexus.transfer.whole import whole


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace the file where there is one.")
@plainly
def backup(*, file: Path, force: bool) -> None:
    """Write the whole shop, its schema and its history into FILE, by pg_dump."""
    if file == Path("-"):
        raise click.UsageError("a backup needs a file of its own, and is not written to standard output")
    server = Server(current_app.config["SETTINGS"])
    with whole(file, replace=force) as output, bar(server.tables, "backing up") as progress:
        server.back_up(Path(output.name), seen=progress.update)
    click.echo(f"backed up {server.database} to {file} ({file.stat().st_size} bytes)")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Replace what is there without asking.")
@click.option("--no-privileges", is_flag=True, help="Leave out what was granted, to roles that are not here.")
@plainly
def restore(*, file: Path, yes: bool, no_privileges: bool) -> None:
    """Make the shop what it was when FILE was written: rows, schema and history, all of it or nothing."""
    server = Server(current_app.config["SETTINGS"])
    backup = Backup(file, server=server)
    if server.tables and not yes:
        what = f"the {server.tables} tables of {server.database}"
        if not agreed(f"Replace {what}, with every row, by the backup of {backup.made}?"):
            raise click.ClickException("nothing was replaced: say yes, or add --yes to be asked nothing")
    with bar(backup.tables, "restoring") as progress:
        backup.restore(privileges=not no_privileges, seen=progress.update)
    click.echo(f"restored {server.database} to the backup of {backup.made}")
