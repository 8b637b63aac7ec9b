"""`.env`: whether it can be read, and what the program itself writes into it."""

import io
import os
from pathlib import Path

from dotenv import dotenv_values, find_dotenv, set_key
from dotenv.parser import parse_stream
from flask.helpers import get_load_dotenv


class SettingsError(Exception):
    """The settings are invalid; the text has one line for each problem, starting with the variable."""


def refuse_broken(dotenv: Path) -> None:
    """Raise SettingsError for lines that the library would silently skip, and their settings with them."""
    if not dotenv.is_file():
        return
    try:
        text = dotenv.read_text("utf-8")
    except UnicodeDecodeError:
        raise SettingsError(f"{dotenv}: is not encoded in UTF-8") from None
    lines = [found.original.line for found in parse_stream(io.StringIO(text)) if found.error]
    if lines:
        raise SettingsError("\n".join(f"{dotenv}: line {line} cannot be read" for line in lines))


def refuse_foreign(dotenv: Path) -> None:
    """Raise SettingsError if `flask` has loaded a file of a parent folder, perhaps of another project.

    It loads the first such file on its way up, and an import or a reset would run against that database.
    """
    by_flask = os.environ.get("FLASK_RUN_FROM_CLI") == "true"
    for name in (".env", ".flaskenv") if by_flask and get_load_dotenv() else ():
        found = find_dotenv(name, usecwd=True)
        if found and Path(found).parent.resolve() != dotenv.parent.resolve():
            raise SettingsError(
                f"{found}: flask has loaded this file, which is not in this checkout: work in "
                f"{dotenv.parent}, with a {name} there, or set FLASK_SKIP_DOTENV=1"
            )


def save(dotenv: Path, name: str, value: str) -> None:
    """Write one variable into `.env`, and make it readable by its owner only, since it holds secrets."""
    dotenv.touch()
    # A copy of the example may be readable by others.
    dotenv.chmod(0o600)
    set_key(dotenv, name, value)


def current(dotenv: Path, name: str) -> str | None:
    """The current value of a variable, from the environment or else from `.env`; blank counts as unset.

    Raises SettingsError if `.env` cannot be read.
    """
    refuse_broken(dotenv)
    return os.environ.get(name, "").strip() or dotenv_values(dotenv).get(name) or None
