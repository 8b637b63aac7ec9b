"""Long commands show a progress bar on a terminal, and none otherwise."""

import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from nexus.config import Settings
from nexus.transfer.backup import Server
from tests.environment import environment, flask
from tests.transfer.conftest import clear
from tests.transfer.shop import export


@pytest.mark.parametrize(
    ("words", "label"),
    [
        ("export new.json", "exporting"),
        ("import shop.json", "shop.json"),
        ("verify shop.json", "shop.json"),
        ("backup new.dump", "backing up"),
        ("restore shop.dump --yes", "restoring"),
    ],
)
def test_on_a_terminal_a_progress_bar_reaches_100_percent(
    root: Path, stocked: Settings, tmp_path: Path, words: str, label: str
) -> None:
    export(root, stocked, tmp_path / "shop.json")
    Server(stocked).back_up(tmp_path / "shop.dump")
    if label == "shop.json" and words.startswith("import"):
        clear(stocked)
    command = ["db", *(str(tmp_path / word) if "." in word else word for word in words.split())]

    code, seen = on_a_terminal(root, stocked, *command)

    assert (code, label in seen) == (0, True)
    assert " 100%" in seen.rpartition(label)[2]
    again = [*command, "--force"] if "new" in words else command
    assert flask(root, stocked, *again).stderr == ""


def on_a_terminal(root: Path, settings: Settings, *words: str) -> tuple[int, str]:
    """Run a `flask` command whose stderr is a terminal; return its exit code and what the terminal shows."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", *words],
        cwd=root,
        env=environment(settings, TERM="xterm", COLUMNS="100"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    # At the end of a terminal, reading raises an error.
    with suppress(OSError):
        while part := os.read(ours, 2**16):
            seen += part
    os.close(ours)
    return process.wait(timeout=60), seen.decode()
