"""A disk that is full: a small file system under the whole server, filled to its last byte."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.clusters import alive
from tests.faults.outages.conftest import Endure

#: Seconds for which it is full.
LONG = 10


@pytest.fixture
def place() -> Iterator[Path]:
    """A small file system, into which everybody may write, in the place of a disk."""
    if os.geteuid() != 0:
        pytest.skip("a small disk must be mounted, and only root may")
    with tempfile.TemporaryDirectory() as disk:
        command = ["mount", "-t", "tmpfs", "-o", "size=128m,mode=1777", "tmpfs", disk]
        mounted = subprocess.run(command, capture_output=True, text=True)
        if mounted.returncode:
            pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
        try:
            yield Path(disk)
        finally:
            subprocess.run(["umount", disk], check=True)


@pytest.mark.long
def test_a_full_disk(endure: Endure, place: Path) -> None:
    filling = place / "filling"
    with endure("disk full", "503 database_unavailable") as trial:
        postmaster = trial.postgres.postmaster()
        ended = time.monotonic() + LONG
        while time.monotonic() < ended:
            fill(filling)
            time.sleep(0.2)
        filling.unlink()
        # It may have given up, for want of room for its log of transactions; its operator starts it again.
        if not alive(postmaster):
            trial.postgres.start()

    assert "503 database_unavailable" in trial.load.kinds()


def fill(file: Path) -> None:
    """Take what room there is."""
    with file.open("ab", buffering=0) as rest:
        try:
            while True:
                rest.write(bytes(4096))
        except OSError:
            return
