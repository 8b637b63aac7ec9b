"""`.env`: whether it can be read, and what the program itself writes into it."""

import io
import os
from pathlib import Path

from dotenv import dotenv_values, find_dotenv, set_key
from dotenv.parser import parse_stream
from flask.helpers import get_load_dotenv


class SettingsError(Exception):
    """The settings cannot be used; its text is one line for each problem, named by variable."""


def refuse_broken(dotenv: Path) -> None:
    """Raise SettingsError for lines that the library would pass over, settings of the owner's included."""
    if not dotenv.is_file():
        return
    try:
        text = dotenv.read_text("utf-8")
    except UnicodeDecodeError:
        raise SettingsError(f"{dotenv}: is not written in UTF-8") from None
    lines = [found.original.line for found in parse_stream(io.StringIO(text)) if found.error]
    if lines:
        raise SettingsError("\n".join(f"{dotenv}: line {line} cannot be read" for line in lines))


def refuse_others(dotenv: Path) -> None:
    """Raise SettingsError where `flask` has read the settings of a folder above, maybe of another project.

    It takes the first file of that name that it finds on its way up, and an import or a reset would go there.
    """
    by_flask = os.environ.get("FLASK_RUN_FROM_CLI") == "true"
    for name in (".env", ".flaskenv") if by_flask and get_load_dotenv() else ():
        found = find_dotenv(name, usecwd=True)
        if found and Path(found).parent.resolve() != dotenv.parent.resolve():
            raise SettingsError(
                f"{found}: flask has read it, and it is not this checkout's: work in {dotenv.parent}, with "
                f"a {name} there, or set FLASK_SKIP_DOTENV=1"
            )


def keep(dotenv: Path, name: str, value: str) -> None:
    """Write one variable into `.env`, which only its owner can read since it holds secrets."""
    dotenv.touch()
    # One that was copied from the example can be read by others.
    dotenv.chmod(0o600)
    set_key(dotenv, name, value)


def kept(dotenv: Path, name: str) -> str | None:
    """The value that a variable has now, in the environment or else in `.env`; blank counts as none.

    Raises SettingsError for a `.env` that cannot be read.
    """
    refuse_broken(dotenv)
    return os.environ.get(name, "").strip() or dotenv_values(dotenv).get(name) or None
