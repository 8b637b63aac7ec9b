"""A PostgreSQL that refuses: it is read-only, out of connections, or its disk is full."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.breaking import refuse_writes, take_connections
from tests.faults.outages.conftest import UNAVAILABLE, StartTrial
from tests.faults.trials import READING

#: Seconds that the fault lasts.
DURATION = 10


@pytest.mark.long
def test_reads_succeed_while_the_database_is_read_only(start_trial: StartTrial) -> None:
    with start_trial("read-only", UNAVAILABLE) as trial:
        refuse_writes(trial.postgres, DURATION)

    reads = [answer for answer in trial.load.answers() if answer.verb in READING]
    assert {answer.kind for answer in reads} == {"200"}
    assert any(trial.began < answer.began and answer.ended < trial.ended for answer in reads)


@pytest.mark.long
def test_the_shop_recovers_after_all_connections_were_taken(start_trial: StartTrial) -> None:
    with start_trial("out of connections", UNAVAILABLE) as trial:
        take_connections(trial.postgres, DURATION)

    assert trial.connections
    assert not trial.kept()


class TestDisk:
    """A server with its data on a small, separate file system."""

    @pytest.fixture
    def place(self) -> Iterator[Path]:
        """A small file system that every user may write to."""
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
    def test_a_full_disk_loses_no_order(self, start_trial: StartTrial, place: Path) -> None:
        filling = place / "filling"
        with start_trial("disk full", UNAVAILABLE) as trial:
            ended = time.monotonic() + DURATION
            while time.monotonic() < ended:
                fill(filling)
                time.sleep(0.2)
            filling.unlink()
            # If it stopped because its write-ahead log had no space, the operator starts it again.
            if trial.postgres.postmaster() is None:
                trial.postgres.start()


def fill(file: Path) -> None:
    """Fill the disk with a file."""
    with file.open("ab", buffering=0) as rest:
        try:
            while True:
                rest.write(bytes(4096))
        except OSError:
            return
