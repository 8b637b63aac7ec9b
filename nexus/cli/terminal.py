"""Questions, output and progress bars at a terminal; there may be none, and a stream may be closed."""

import os
import sys
from contextlib import suppress
from typing import Any

import click


def agree(question: str, *, refusal: str) -> None:
    """Ask for confirmation; end the command on a no, or with `refusal` if nobody can be asked."""
    if not _can_ask() or not sys.stdin.isatty():
        raise click.ClickException(refusal)
    click.confirm(question, abort=True)


def agreed(question: str) -> bool:
    """Whether somebody answers yes, at a terminal or through a pipe."""
    if not _can_ask():
        return False
    try:
        return click.confirm(question)
    except click.Abort:
        click.echo()
        return False


def _can_ask() -> bool:
    """Whether there is all that Python's `input` needs, which uses standard error too."""
    return None not in (sys.stdin, sys.stdout, sys.stderr)


def discard_output() -> None:
    """Drop Python's buffered output after a failure to write it, or flushing it at exit would fail again."""
    if sys.stdout is None:
        return
    # One that a test has put in its place has no descriptor.
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def bar(length: int, label: str | None = None, *, steps: int = 1) -> Any:
    """A progress bar up to `length` on standard error if that is a terminal, redrawn every `steps`."""
    watched = sys.stderr is not None and sys.stderr.isatty()
    # On standard error, so that the report can be redirected; without `hidden`, click prints an empty line.
    return click.progressbar(
        length=length, label=label, file=sys.stderr, hidden=not watched, update_min_steps=steps
    )
