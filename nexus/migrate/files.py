"""The migration files: finding and reading them, and the digest by which an edited one is recognised."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from traceback import extract_tb
from typing import Any

from nexus.config import ROOT

DIRECTORY = ROOT / "migrations"


class MigrationError(Exception):
    """A migration is unreadable or has failed; the text is one line that names it and says why."""


@dataclass(frozen=True)
class Migration:
    """A loaded file; its functions take `(migrator, database, fake=)` and pass operations to the migrator."""

    path: Path
    up: Callable[..., Any]
    #: None: it cannot be undone.
    down: Callable[..., Any] | None
    #: False if the file says so: it runs outside a transaction, and is recorded in the history after it.
    transaction: bool

    @property
    def name(self) -> str:
        """The file's name without its suffix, as in the history."""
        return self.path.stem


def names(directory: Path = DIRECTORY) -> list[str]:
    """The migrations of this code, in order; MigrationError if there are none, as in an installed package.

    Otherwise a database without any of them would be called up to date.
    """
    found = sorted(path.stem for path in directory.glob("[0-9][0-9][0-9]_*.py"))
    if not found:
        raise MigrationError(f"there are no migrations in {directory}: run it in a checkout of the code")
    return found


def named(given: str, directory: Path) -> str:
    """The migration with this name, or with a name that starts with this number: `002` or `2`."""
    number = f"{given.lstrip('0').zfill(3)}_" if given.isascii() and given.isdigit() else None
    found = [name for name in names(directory) if name == given or (number and name.startswith(number))]
    if len(found) == 1:
        return found[0]
    raise MigrationError(f"{given} " + (f"could be {' or '.join(found)}" if found else "is not a migration"))


def read(name: str, directory: Path) -> Migration:
    """Execute a file and take its functions; MigrationError if it has none, or cannot be read."""
    path = directory / f"{name}.py"
    scope: dict[str, Any] = {"__name__": name, "__file__": str(path)}
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), scope)  # noqa: S102 - a file of this code.
    except FileNotFoundError:
        raise MigrationError(f"{name} is not among the migration files of this code") from None
    except Exception as error:
        raise MigrationError(f"{blame(path, error)}; nothing was run") from error
    if not callable(scope.get("migrate")):
        raise MigrationError(f"{path.name} has no function migrate; nothing was run")
    return Migration(
        path, scope["migrate"], scope.get("rollback"), transaction=scope.get("TRANSACTION", True)
    )


def blame(path: Path, error: Exception) -> str:
    """The file, the line and the exception that it raised, on one line."""
    at = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == str(path)]
    text = " ".join(str(error).split())
    if isinstance(error, SyntaxError):
        at, text = [error.lineno] if error.lineno else [], error.msg
    place = f"{path.name}, line {at[-1]}" if at else path.name
    return f"{place}: {type(error).__name__}: {text}".removesuffix(": ")


def digest(name: str, directory: Path) -> str:
    """The digest of a file, 64 hexadecimal digits; line endings and trailing blanks do not matter."""
    lines = (directory / f"{name}.py").read_bytes().splitlines()
    return sha256(b"\n".join(line.rstrip() for line in lines).rstrip()).hexdigest()


def misnumbered(directory: Path) -> list[str]:
    """What is wrong with the numbers, which should start at 001 and have no gaps: one line each."""
    problems = []
    expected, last = 1, ""
    for name in names(directory):
        number = int(name[:3])
        if number == expected - 1:
            problems.append(f"{last} and {name} have the same number")
        elif number > expected:
            problems.append(f"{expected:03} is missing before {name}")
        expected, last = number + 1, name
    return problems
