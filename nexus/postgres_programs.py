"""The client programs of PostgreSQL: where they are, and which of them a server can be worked with."""

import os
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from nexus.embedded_home import EmbeddedError, environment, package

#: Where Debian keeps the versions of which /usr/bin has only wrappers.
DEBIAN = Path("/usr/lib/postgresql")
#: Why none of them is run by way of a pooler in transaction mode.
POOLED = (
    "what PostgreSQL's programs set, a pooler would give to others: "
    "set DATABASE_URL to a direct URL; nothing was run"
)


class ProgramMissing(Exception):
    """No program of PostgreSQL's serves here; the text is one line that says what to install."""


def find(name: str, *, server: int) -> Path:
    """The program (`pg_dump`, say) for a server of this major version: of the same, or else the next newer.

    Raises ProgramMissing.
    """
    return fitting(name, server=server)[0]


def fitting(name: str, *, server: int) -> list[Path]:
    """All such programs, in the order of their versions.

    An older one is refused, as it would refuse the server itself. Raises ProgramMissing where there is none.
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
    """The major version that a program of PostgreSQL's gives, 0 for one that gives none."""
    try:
        said = subprocess.run(  # noqa: S603 - a program of PostgreSQL's, by its full path.
            [program, "--version"], env=environment(), capture_output=True, text=True, check=False
        ).stdout
    except OSError:
        return 0
    number = re.search(r"\(PostgreSQL\) (\d+)", said)
    return int(number[1]) if number else 0


def _candidates(name: str) -> list[Path]:
    """Every such program, in the order in which they are preferred among equals."""
    places = [Path(place) for place in os.environ.get("PATH", os.defpath).split(os.pathsep) if place]
    places += sorted(DEBIAN.glob("*/bin"))
    with suppress(EmbeddedError):
        places.append(package() / "pginstall18" / "bin")
    found = (shutil.which(name, path=str(place)) for place in places)
    return [Path(path) for path in dict.fromkeys(found) if path]
