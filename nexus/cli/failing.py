"""Failures of commands, reported in one line."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click
from flask import current_app
from flask.cli import with_appcontext

from nexus.cli.terminal import discard_output
from nexus.db import session
from nexus.db.outages import FAILURES, reason
from nexus.errors import DatabaseUnavailable
from nexus.migrate import MigrationError, pending
from nexus.migrate.check import SchemaError
from nexus.postgres_programs import ProgramMissing
from nexus.transfer.problems import TransferError

Command = TypeVar("Command", bound=Callable[..., Any])


def plainly(command: Command) -> Command:
    """Run a command in the application's context, and report its failures in one line."""

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> Any:
        if invalid := current_app.config.get("INVALID_SETTINGS"):
            sys.exit(invalid)
        try:
            return command(*arguments, **options)
        except DatabaseUnavailable as error:
            raise click.ClickException(f"the database cannot be reached: {error}") from error
        except (MigrationError, ProgramMissing, SchemaError, TransferError) as error:
            raise click.ClickException(str(error)) from error
        except FAILURES as error:
            raise click.ClickException(f"the database refused: {reason(error)}") from error
        except (UnicodeDecodeError, UnicodeEncodeError) as error:
            # Not shown: it may be a part of a password.
            raise click.ClickException(f"the input is not valid {error.encoding}") from error
        except BrokenPipeError:
            # The reader has closed the pipe.
            raise
        except OSError as error:
            if error.filename is None:
                discard_output()
            raise click.ClickException(f"{error.filename or 'output'}: {error.strerror or error}") from error

    return with_appcontext(run)  # type: ignore[return-value]


def refuse_pending() -> None:
    """End a command that needs every table, if migrations are pending."""
    with session() as database:
        missing = pending(database)
    if missing:
        raise click.ClickException(f"the migration {missing[0]} is pending: run flask migrate first")
