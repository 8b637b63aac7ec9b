"""Files are written atomically, and only their owner can read them."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from nexus.config import Settings
from nexus.db.connection import connect
from nexus.transfer.problems import TransferError
from nexus.transfer.whole import whole
from tests.environment import environment
from tests.transfer.shop import ROWS, export


def test_the_file_is_private_and_replaced_only_with_force(
    root: Path, stocked: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "shop.json"
    file.write_text("a good one")
    file.chmod(0o644)
    mask = os.umask(0o377)
    try:
        refused = export(root, stocked, file)
        before = file.read_text()
        replaced = export(root, stocked, file, "--force")
    finally:
        os.umask(mask)

    assert refused.stderr.decode() == f"Error: {file} already exists: add --force to replace it\n"
    assert (refused.returncode, before, replaced.returncode) == (1, "a good one", 0)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_bytes())["users"] == ROWS["users"]
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_export_keeps_the_existing_file(
    root: Path, stocked: Settings, tmp_path: Path, number: signal.Signals
) -> None:
    file = tmp_path / "shop.ndjson"
    file.write_text("a good one")
    command = [sys.executable, "-m", "flask", "db", "export", str(file), "--force"]
    with closing(connect(stocked.direct, wait=5)) as connection:
        connection.autocommit = False
        connection.cursor().execute("LOCK TABLE orders")
        run = subprocess.Popen(command, cwd=root, env=environment(stocked), stderr=subprocess.PIPE)
        # By then it has begun its file and waits for the lock.
        while not list(tmp_path.glob(".*")):
            assert run.poll() is None
            time.sleep(0.01)
        run.send_signal(number)
        connection.rollback()
        _, complaint = run.communicate(timeout=30)

    assert (run.returncode, complaint.strip()) == (1, b"Aborted!")
    assert [path.name for path in tmp_path.iterdir()] == ["shop.ndjson"]
    assert file.read_text() == "a good one"


# If interrupted while opening a file, Python's garbage collector closes it with a warning.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_moment_leaves_no_temporary_file(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for microseconds in range(1, 2000):
            with suppress(KeyboardInterrupt):
                signal.setitimer(signal.ITIMER_REAL, microseconds / 1e6)
                with whole(tmp_path / "file", replace=True) as file:
                    file.write(b"text")
                signal.setitimer(signal.ITIMER_REAL, 0)
            assert not list(tmp_path.glob(".*")), f"after {microseconds} microseconds"
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_file_created_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "shop.json"

    with pytest.raises(TransferError, match="already exists"), whole(path, replace=False):
        path.write_text("precious")
    assert path.read_text() == "precious"
    with whole(path, replace=True) as file:
        file.write(b"ours")

    assert path.read_text() == "ours"
    assert list(tmp_path.iterdir()) == [path]


def test_symlinks_are_followed_and_special_files_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "behind")
    with whole(tmp_path / "link", replace=False) as file:
        file.write(b"text")
    os.mkfifo(tmp_path / "pipe")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "behind").read_bytes() == b"text"
    with pytest.raises(TransferError, match="not a regular file"), whole(tmp_path / "pipe", replace=True):
        pass
    with pytest.raises(TransferError, match="No such file"), whole(tmp_path / "no" / "x", replace=True):
        pass
