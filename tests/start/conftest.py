"""Copies of the checkout, with or without the packages installed, and embedded clusters."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nexus.bootstrap import Environment, extras
from nexus.config import ROOT
from nexus.embedded import Cluster

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A copy without `.venv` and `.env`, in a folder with a space and a quote in its path."""
    root = tmp_path / "it's a ёж"
    root.mkdir()
    for name in ("nexus", "migrations", "seed"):
        shutil.copytree(ROOT / name, root / name)
    for name in ("wsgi.py", "pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, root / name)
    yield root
    Cluster(root / ".nexus" / "postgres").remove()


@pytest.fixture
def installed(checkout: Path) -> Path:
    """The copy with a `.venv` that uses our packages, and the stamp file of a finished installation."""
    environment = Environment(checkout)
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(environment.place)], check=True, timeout=60
    )
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = environment.place / "lib" / version / "site-packages"
    (packages / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"])
    environment.confirm(extras("test", checkout))
    return checkout


@pytest.fixture
def start() -> Iterator[Start]:
    """Start `python3 -m nexus ...` in a folder, with streams `closed` as a shell does it, such as `2>&-`.

    Processes still running at the end of the test are killed.
    """
    started: list[subprocess.Popen[str]] = []

    def begin(root: Path, *arguments: str, closed: str = "", **variables: str) -> "subprocess.Popen[str]":
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        process = subprocess.Popen(
            ["/bin/sh", "-c", f'exec "$0" -m nexus "$@" {closed}', sys.executable, *arguments],
            cwd=root,
            env=environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


@pytest.fixture
def leftovers() -> Callable[[Path], list[str]]:
    """Return the command lines that contain a folder's path and are still running after five seconds."""
    if not Path("/proc/self/cmdline").exists():
        pytest.skip("this system has no /proc to look for processes in")

    def look(root: Path) -> list[str]:
        deadline = time.monotonic() + 5
        while (found := _naming(str(root))) and time.monotonic() < deadline:
            time.sleep(0.1)
        return found

    return look


def _naming(folder: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if folder in command:
            found.append(f"{process.name} {command}")
    return found


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A folder for a cluster, below a path that is hard to quote."""
    folder = tmp_path / "it's a ёж"
    folder.mkdir()
    yield folder / "postgres"
    Cluster(folder / "postgres").remove()


@pytest.fixture
def cluster(home: Path) -> Iterator[Cluster]:
    """A cluster in that folder, not started yet."""
    cluster = Cluster(home, durable=False)
    yield cluster
    cluster.stop()
