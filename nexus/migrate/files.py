"""The migration files: which there are, what stands in each, and the mark by which an edited one is known."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from traceback import extract_tb
from typing import Any

from nexus.config import ROOT

DIRECTORY = ROOT / "migrations"


class MigrationError(Exception):
    """A migration cannot be read, or failed; the text is one line that names it and says why."""


@dataclass(frozen=True)
class Migration:
    """One file, read: its functions take `(migrator, database, fake=)` and hand the migrator operations."""

    path: Path
    up: Callable[..., Any]
    #: None: there is no way down.
    down: Callable[..., Any] | None
    #: False for a marked one: it runs outside a transaction, and its row of history is written after it.
    transaction: bool

    @property
    def name(self) -> str:
        """The file's name without its ending, as the history has it."""
        return self.path.stem


def names(directory: Path = DIRECTORY) -> list[str]:
    """The migrations of this code, in order; MigrationError where there are none, as beside a bare package.

    A database would else be called up to date that has not seen one of them.
    """
    found = sorted(path.stem for path in directory.glob("[0-9][0-9][0-9]_*.py"))
    if not found:
        raise MigrationError(f"there are no migrations in {directory}: work in a checkout of the code")
    return found


def named(given: str, directory: Path) -> str:
    """The migration that has this name, or a name that begins with this number: `002` or `2`."""
    number = f"{int(given):03}_" if given.isascii() and given.isdigit() else None
    found = [name for name in names(directory) if name == given or (number and name.startswith(number))]
    if len(found) == 1:
        return found[0]
    raise MigrationError(f"{given} is " + (f"either of {', '.join(found)}" if found else "no migration here"))


def read(name: str, directory: Path) -> Migration:
    """Run a file's Python and take its functions; MigrationError when it has none, or cannot be read."""
    path = directory / f"{name}.py"
    scope: dict[str, Any] = {"__name__": name, "__file__": str(path)}
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), scope)  # noqa: S102 - a file of this code.
    except FileNotFoundError:
        raise MigrationError(f"{name} has no file among the migrations of this code") from None
    except Exception as error:
        raise MigrationError(f"{blame(path, error)}; nothing was run") from error
    if not callable(scope.get("migrate")):
        raise MigrationError(f"{path.name} has no function migrate; nothing was run")
    return Migration(
        path, scope["migrate"], scope.get("rollback"), transaction=scope.get("TRANSACTION", True)
    )


def blame(path: Path, error: Exception) -> str:
    """The file, its line and the error that its Python raised, on one line."""
    at = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == str(path)]
    text = " ".join(str(error).split())
    if isinstance(error, SyntaxError):
        at, text = [error.lineno] if error.lineno else [], error.msg
    place = f"{path.name}, line {at[-1]}" if at else path.name
    return f"{place}: {type(error).__name__}: {text}".removesuffix(": ")


def digest(name: str, directory: Path) -> str:
    """What a file says, as 64 hexadecimal digits; line ends and blanks before them do not count."""
    lines = (directory / f"{name}.py").read_bytes().splitlines()
    return sha256(b"\n".join(line.rstrip() for line in lines).rstrip()).hexdigest()


def misnumbered(directory: Path) -> list[str]:
    """What is wrong with the numbers, which should be 001 to the last without a gap: a line for each."""
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
