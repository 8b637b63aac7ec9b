"""Output of commands: as JSON for programs, and field by field for people."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from nexus.lines import harmless

Command = TypeVar("Command", bound=Callable[..., Any])


def as_json(what: str) -> Callable[[Command], Command]:
    """The option `--json` of a command, whose help says what it prints."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} as JSON.")


def print_fields(found: Mapping[str, object], *, width: int = 12) -> None:
    """Print a line for each field, with the name padded to `width` characters."""
    for name, value in found.items():
        click.echo(f"{name:<{width}}{'-' if value is None else harmless(value)}")
