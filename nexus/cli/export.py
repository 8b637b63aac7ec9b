"""`flask db export`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click
from flask import current_app

from nexus.cli.failing import plainly
from nexus.cli.terminal import bar
from nexus.transfer.export import LAYOUTS, snapshot
from nexus.transfer.problems import TransferError
from nexus.transfer.whole import whole

STANDARD_OUTPUT = Path("-")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(list(LAYOUTS)), help="Overrides the suffix of FILE.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@plainly
def export(*, file: Path, form: str | None, force: bool) -> None:
    """Write a consistent snapshot of all users, products and orders into FILE; - is standard output."""
    form = form or file.suffix.removeprefix(".")
    if form not in LAYOUTS:
        raise click.UsageError("FILE must end in .json or .ndjson, or --format must name the format")
    target = standard_output() if file == STANDARD_OUTPUT else whole(file, replace=force)
    with target as output, snapshot(current_app.config["SETTINGS"]) as shop:
        rows = sum(shop.sizes.values())
        with bar(rows, "exporting", steps=1000) as progress:
            shop.write(output, form=form, seen=progress.update)
    if file != STANDARD_OUTPUT:
        counted = ", ".join(f"{size} {table}" for table, size in shop.sizes.items())
        click.echo(f"exported {counted} to {file}")


@contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Standard output for bytes; an error on it becomes a TransferError, except for a closed pipe."""
    if sys.stdout is None:
        raise TransferError("standard output is closed")
    try:
        with os.fdopen(sys.stdout.fileno(), "wb", closefd=False) as output:
            yield output
    except BrokenPipeError:
        raise
    except OSError as error:
        raise TransferError(f"standard output: {error.strerror}") from error
