"""The client programs of PostgreSQL: where they are, and which of them suit a server."""

import os
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from nexus.embedded_home import EmbeddedError, environment, package

#: Where Debian keeps the real programs of each version; /usr/bin has only wrappers.
DEBIAN = Path("/usr/lib/postgresql")
#: Why none of them is run through a pooler in transaction mode.
POOLED = (
    "a pooler would leak the session settings of PostgreSQL's programs to other clients: "
    "set DATABASE_URL to a direct URL; nothing was run"
)


class ProgramMissing(Exception):
    """No suitable program of PostgreSQL was found; the text is one line that says what to install."""


def find(name: str, *, server: int) -> Path:
    """The program, such as `pg_dump`, for a server of this major version: of the same or the next newer one.

    Raises ProgramMissing.
    """
    return suitable(name, server=server)[0]


def suitable(name: str, *, server: int) -> list[Path]:
    """All suitable programs, ordered by version.

    An older one does not count, since it would refuse the server. Raises ProgramMissing if there is none.
    """
    found = {path: version(path) for path in _candidates(name)}
    newer = [path for path in found if found[path] >= server]
    if newer:
        return sorted(newer, key=lambda path: found[path])
    install = f"install the client programs of PostgreSQL {server} (postgresql-client-{server} on Debian)"
    if found:
        newest = max(found.values())
        raise ProgramMissing(f"{name} {newest} is older than the server, which is {server}: {install}")
    raise ProgramMissing(f"{name} is neither on the PATH nor in the embedded PostgreSQL: {install}")


def version(program: Path) -> int:
    """The major version that a program prints, or 0 if it prints none."""
    try:
        output = subprocess.run(  # noqa: S603 - a program of PostgreSQL, by its full path.
            [program, "--version"], env=environment(), capture_output=True, text=True, check=False
        ).stdout
    except OSError:
        return 0
    number = re.search(r"\(PostgreSQL\) (\d+)", output)
    return int(number[1]) if number else 0


def _candidates(name: str) -> list[Path]:
    """Every program of that name; among those of the same version, earlier ones are preferred."""
    places = [Path(place) for place in os.environ.get("PATH", os.defpath).split(os.pathsep) if place]
    places += sorted(DEBIAN.glob("*/bin"))
    with suppress(EmbeddedError):
        places.append(package() / "pginstall18" / "bin")
    found = (shutil.which(name, path=str(place)) for place in places)
    return [Path(path) for path in dict.fromkeys(found) if path]
