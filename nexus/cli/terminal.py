"""What needs a person at a terminal, where there may be none and a stream may be closed."""

import sys
from typing import Any

import click


def agree(question: str, *, refusal: str, yes: bool) -> None:
    """Ask a person unless `yes` is given; end the command with the refusal where nobody can be asked."""
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.ClickException(refusal)
    click.confirm(question, abort=True)


def bar(length: int, label: str | None = None, *, steps: int = 1) -> Any:
    """A bar on standard error that counts to `length`, drawn every so many `steps`, on a terminal alone."""
    watched = sys.stderr is not None and sys.stderr.isatty()
    # On standard error, so that the report can go elsewhere; click prints an empty line where none watches.
    return click.progressbar(
        length=length, label=label, file=sys.stderr, hidden=not watched, update_min_steps=steps
    )
