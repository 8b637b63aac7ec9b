"""How a command tells a person of its failure, in one line."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click
from flask.cli import with_appcontext

from nexus.db import session
from nexus.db.outages import FAILURES, reason
from nexus.errors import DatabaseUnavailable
from nexus.migrate import MigrationError, pending
from nexus.migrate.check import SchemaError
from nexus.postgres_programs import ProgramMissing
from nexus.transfer.problems import TransferError

Command = TypeVar("Command", bound=Callable[..., Any])


def plainly(command: Command) -> Command:
    """Run a command in the application's context, its failures told to a person in one line."""

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> Any:
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
            raise click.ClickException(f"what was given is no text in {error.encoding}") from error
        except BrokenPipeError:
            # Whoever read has enough.
            raise
        except OSError as error:
            raise click.ClickException(f"{error.filename or 'output'}: {error.strerror or error}") from error

    return with_appcontext(run)  # type: ignore[return-value]


def refuse_pending() -> None:
    """End a command that needs every table, when the database has not seen all migrations."""
    with session() as database:
        missing = pending(database)
    if missing:
        raise click.ClickException(f"the database has not seen {missing[0]}: run flask migrate first")
