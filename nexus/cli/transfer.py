"""`flask db import` and `flask db verify`."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from flask import current_app

from nexus.cli.failing import plainly
from nexus.cli.printing import as_json
from nexus.cli.terminal import bar, discard_output
from nexus.config import Settings
from nexus.lines import harmless
from nexus.transfer.importing import IMPORT_PASSES, VERIFY_PASSES, Report, Transfer, opened
from nexus.transfer.problems import Problem, TransferError
from nexus.transfer.whole import whole

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)

Command = Callable[..., Any]


def common(command: Command) -> Command:
    """Add the arguments that an import and a verification have in common."""
    for option in (
        as_json("the report"),
        click.option("--report", type=NEW_FILE, help="Also write the report to this file, as JSON."),
        click.option(
            "--limit", type=click.IntRange(1, 100_000), default=100, help="Maximum number of listed problems."
        ),
        click.option("--fixes", type=FILE, help="Corrections by table, id and field, as JSON."),
        click.argument("file", type=FILE),
    ):
        command = option(command)
    return command


@click.command("import")
@common
@click.option("--dry-run", is_flag=True, help="Do everything, then roll it back.")
@click.option(
    "--orphans",
    type=click.Choice(["refuse", "keep"]),
    default="refuse",
    help="Orders of products that never existed: refuse the file, or keep them without a product.",
)
@plainly
def import_file(*, file: Path, dry_run: bool, orphans: str, **options: Any) -> None:
    """Import a file of users, products and orders, all or nothing, and verify the result."""
    settings: Settings = current_app.config["SETTINGS"]

    def run(transfer: Transfer) -> Report:
        return transfer.import_(currency=settings.currency, keep_orphans=orphans == "keep", dry_run=dry_run)

    report = _run(file, settings, run, passes=IMPORT_PASSES, **options)
    if not report.holds:
        raise click.ClickException("nothing was written")
    if options["as_json"]:
        return
    if dry_run:
        click.echo("this was a dry run: nothing was written")
    elif not any(table.written for table in report.tables):
        click.echo("nothing to write: all rows are already there")


@click.command("verify")
@common
@plainly
def verify_file(*, file: Path, **options: Any) -> None:
    """Verify that the database has what a file has, and list each difference."""
    report = _run(file, current_app.config["SETTINGS"], Transfer.verify, passes=VERIFY_PASSES, **options)
    if not report.holds:
        raise click.ClickException("the database differs from the file")


def _run(
    file: Path,
    settings: Settings,
    work: Callable[[Transfer], Report],
    *,
    passes: int,
    fixes: Path | None,
    limit: int,
    report: Path | None,
    as_json: bool,
) -> Report:
    """Do the work with a progress bar, and show and write its report."""
    for name, source in (("FILE", file), ("the file of --fixes", fixes)):
        if report and source and report.exists() and report.samefile(source):
            raise click.UsageError(f"--report would replace {name}")
    progress = bar(file.stat().st_size * passes, file.name)
    # Opened first: if it cannot be written, that must be known before the import starts.
    with (
        whole(report, replace=True) if report else nullcontext() as written,
        progress,
        opened(file, settings, fixes=fixes, limit=limit, advance=progress.update) as transfer,
    ):
        done = work(transfer)
        progress.update(progress.length - progress.pos)
        text = json.dumps(_plain(done), ensure_ascii=False, indent=2)
        if written:
            try:
                written.write(f"{_printable(text)}\n".encode())
                written.flush()
            except OSError as error:
                # Otherwise its block would try to write again, and that failure would hide this message.
                with suppress(OSError):
                    written.close()
                raise TransferError(f"{report}: {error.strerror}: nothing was written") from error
        # Last, so that rows are committed only if their report was written.
        transfer.keep(done)
    with _output_optional(done):
        if as_json:
            click.echo(_printable(text))
        else:
            _show(done)
    return done


@contextmanager
def _output_optional(report: Report) -> Iterator[None]:
    """Count a committed import as a success, even if its report cannot be printed."""
    try:
        yield
    except OSError as error:
        if not report.kept:
            raise
        click.echo(f"everything is written, but the report was not shown: {error.strerror}", err=True)
        discard_output()


def _plain(report: Report) -> dict[str, Any]:
    """The report as data for JSON."""
    return {
        "holds": report.holds,
        "tables": [
            {
                "table": table.table,
                "read": table.read,
                "written": table.written,
                "alreadyThere": table.already_there,
                "checksums": {
                    column.field: {
                        "values": column.values,
                        "file": column.file,
                        "database": column.database,
                        "holds": column.holds,
                    }
                    for column in table.columns
                },
                "sums": {
                    status: {"file": asdict(file), "database": asdict(database), "holds": file == database}
                    for status, (file, database) in table.sums.items()
                },
            }
            for table in report.tables
        ],
        "admins": report.admins,
        "corrections": [asdict(correction) for correction in report.corrections],
        "orphans": {"count": report.orphans.count, "named": [_named(one) for one in report.orphans.found]},
        "problems": {"count": report.problems.count, "named": [_named(one) for one in report.problems.found]},
    }


def _named(problem: Problem) -> dict[str, Any]:
    found = asdict(problem)
    del found["place"]
    return found


def _show(report: Report) -> None:
    """Print the report for people."""
    click.echo(f"{'table':<14}{'read':>10}{'written':>10}{'already there':>15}")
    for table in report.tables:
        click.echo(f"{table.table:<14}{table.read:>10}{table.written:>10}{table.already_there:>15}")
    if report.proven:
        click.echo(f"\n{'column':<22}{'values':>10}  {'in the file':<18}in the database")
    for table in report.tables:
        for column in table.columns:
            name = f"{table.table}.{column.field}"
            sums = f"{column.file[:16]:<18}{column.database[:16]:<18}" if column.values else "not in the file"
            click.echo(f"{name:<22}{column.values:>10}  {sums}{'' if column.holds else 'DIFFERS'}".rstrip())
    for table in report.tables:
        for status, (file, database) in table.sums.items():
            ours, theirs = (f"{side.rows} rows, {side.amount}" for side in (file, database))
            sign = "=" if file == database else "DIFFERS FROM"
            click.echo(f"{table.table} {status}: {ours} {sign} {theirs}")
    if report.admins:
        click.echo(f"admins among the new users: {report.admins}")
    for correction in report.corrections:
        row = f"{correction.table} {correction.id} {correction.field}"
        click.echo(harmless(f"corrected {row}: {correction.was!r} is now {correction.now!r}"))
    _list("orphan", report.orphans.found, report.orphans.count)
    _list("problem", report.problems.found, report.problems.count)


def _list(what: str, named: list[Problem], count: int) -> None:
    for problem in named:
        click.echo(harmless(f"{what}: {problem}"))
    if count > len(named):
        click.echo(f"{count - len(named)} more of {count} {what}s are not shown")


def _printable(text: str) -> str:
    """The text with invalid Unicode, as in a corrupt row, written as escapes."""
    return text.encode(errors="backslashreplace").decode()
