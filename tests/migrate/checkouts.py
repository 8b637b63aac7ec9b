"""A checkout of a test's own, whose migrations it may write."""

import shutil
from pathlib import Path

from nexus.config import ROOT

PARTS = ("nexus", "migrations", "seed")


def checkout(place: Path) -> Path:
    """Copy what the commands need."""
    for part in PARTS:
        shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "wsgi.py", place)
    return place
