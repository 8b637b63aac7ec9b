"""PgBouncers before the run's server."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nexus.config import Settings
from tests.pooler.bouncer import Bouncer

Start = Callable[..., Bouncer]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a PgBouncer; all of them stop with the test."""
    started: list[Bouncer] = []

    def begin(settings: Settings, **how: object) -> Bouncer:
        started.append(Bouncer(settings, **how))  # type: ignore[arg-type]  # As the test names them.
        return started[-1]

    yield begin
    for bouncer in started:
        bouncer.stop()


@pytest.fixture
def bouncer(settings: Settings, start: Start) -> Bouncer:
    """One in transaction mode with three connections to the server."""
    return start(settings)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of our own making for localhost, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on this machine, and makes the certificate")
    made, key = tmp_path / "made.crt", tmp_path / "made.key"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    subprocess.run(
        [*command.split(), "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", made],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return made, key
