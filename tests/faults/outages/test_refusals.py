"""A PostgreSQL that answers and refuses: nothing may be written, no connection is left, the disk is full."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.breaking import refuse_writes, take_connections
from tests.faults.outages.conftest import UNAVAILABLE, Endure
from tests.faults.trials import LOOKING

#: Seconds for which a refusal lasts.
LONG = 10


@pytest.mark.long
def test_what_is_read_only_can_be_read(endure: Endure) -> None:
    with endure("read-only", UNAVAILABLE) as trial:
        refuse_writes(trial.postgres, LONG)

    looked = [answer for answer in trial.load.answers() if answer.verb in LOOKING]
    assert {answer.kind for answer in looked} == {"200"}


@pytest.mark.long
def test_others_have_all_connections(endure: Endure) -> None:
    with endure("out of connections", UNAVAILABLE) as trial:
        take_connections(trial.postgres, LONG)


class TestDisk:
    """The server's data are on a small file system of their own."""

    @pytest.fixture
    def place(self) -> Iterator[Path]:
        """A file system into which everybody may write."""
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
    def test_full(self, endure: Endure, place: Path) -> None:
        filling = place / "filling"
        with endure("disk full", UNAVAILABLE) as trial:
            ended = time.monotonic() + LONG
            while time.monotonic() < ended:
                fill(filling)
                time.sleep(0.2)
            filling.unlink()
            # It gives up for want of room for its log of transactions, and its operator starts it again.
            if trial.postgres.postmaster() is None:
                trial.postgres.start()

        assert UNAVAILABLE in trial.load.kinds()


def fill(file: Path) -> None:
    """Take what room there is."""
    with file.open("ab", buffering=0) as rest:
        try:
            while True:
                rest.write(bytes(4096))
        except OSError:
            return
