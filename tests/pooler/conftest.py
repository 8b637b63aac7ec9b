"""PgBouncers in front of the server of the test run."""

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

    def begin(settings: Settings, **options: object) -> Bouncer:
        started.append(Bouncer(settings, **options))  # type: ignore[arg-type]  # As the test names them.
        return started[-1]

    yield begin
    for bouncer in started:
        bouncer.stop()


@pytest.fixture
def bouncer(settings: Settings, start: Start) -> Bouncer:
    """A PgBouncer in transaction mode with three server connections."""
    return start(settings)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on this machine, and makes the certificate")
    certificate, key = tmp_path / "certificate.crt", tmp_path / "certificate.key"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    subprocess.run(
        [*command.split(), "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return certificate, key
