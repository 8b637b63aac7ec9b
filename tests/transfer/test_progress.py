"""Long work shows on a terminal how far it is, and says nothing of it where nobody looks."""

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
def test_a_terminal_shows_a_bar_that_comes_to_its_end(
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
    """Run a command of `flask` whose standard error is a terminal: exit code, and what stands there."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", *words],
        cwd=root,
        env=environment(settings, TERM="xterm", COLUMNS="100"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=its,
    )
    os.close(its)
    seen = b""
    # The end of a terminal is an error to its reader.
    with suppress(OSError):
        while part := os.read(ours, 2**16):
            seen += part
    os.close(ours)
    return process.wait(timeout=60), seen.decode()
