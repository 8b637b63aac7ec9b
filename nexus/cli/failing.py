"""How a command fails: with one line for a person and exit code 1."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from nexus.errors import DatabaseUnavailable
from nexus.migrate import MigrationError

Command = TypeVar("Command", bound=Callable[..., Any])


def plainly(command: Command) -> Command:
    """Turn the failures that a person can do something about into one line."""

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except DatabaseUnavailable as error:
            raise click.ClickException(f"the database cannot be reached: {error}") from error
        except MigrationError as error:
            raise click.ClickException(str(error)) from error

    return run  # type: ignore[return-value]
