"""A checkout of a test's own, whose migrations it may write, and its commands."""

import shutil
import subprocess
import sys
from pathlib import Path

from nexus.config import ROOT, Settings
from tests.environment import environment

PARTS = ("nexus", "migrations", "seed")


def checkout(place: Path) -> Path:
    """Copy what the commands need."""
    for part in PARTS:
        shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "wsgi.py", place)
    return place


def flask(
    root: Path, settings: Settings, *words: str, typed: str = "", **changes: str
) -> subprocess.CompletedProcess[str]:
    """Run a command there, and answer how it ended."""
    return subprocess.run(
        [sys.executable, "-m", "flask", *words],
        cwd=root,
        env=environment(settings, **changes),
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
    )
