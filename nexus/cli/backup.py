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
@click.option("--force", is_flag=True, help="Replace an existing file.")
@plainly
def backup(*, file: Path, force: bool) -> None:
    """Write the whole shop, with its schema and migration history, into FILE with pg_dump."""
    if file == Path("-"):
        raise click.UsageError("a backup needs a file, and cannot be written to standard output")
    server = Server(current_app.config["SETTINGS"])
    with whole(file, replace=force) as output, bar(server.tables, "backing up") as progress:
        server.back_up(Path(output.name), seen=progress.update)
    click.echo(f"backed up {server.database} to {file} ({file.stat().st_size} bytes)")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Replace existing data without asking.")
@click.option("--no-privileges", is_flag=True, help="Leave out grants, for roles that do not exist here.")
@plainly
def restore(*, file: Path, yes: bool, no_privileges: bool) -> None:
    """Return the shop to the state of the backup FILE: rows, schema and history, all or nothing."""
    server = Server(current_app.config["SETTINGS"])
    backup = Backup(file, server=server)
    if server.tables and not yes:
        what = f"the {server.tables} tables of {server.database}"
        if not agreed(f"Replace {what}, with every row, with the backup of {backup.made}?"):
            raise click.ClickException("nothing was replaced: answer yes, or add --yes to skip the question")
    with bar(backup.tables, "restoring") as progress:
        backup.restore(privileges=not no_privileges, seen=progress.update)
    click.echo(f"restored {server.database} to the backup of {backup.made}")
