"""The bootstrap from a bare Python to the command, and its messages where that is impossible."""

import ast
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nexus.bootstrap import Environment, extras, has_database
from nexus.config import ROOT

Start = Callable[..., "subprocess.Popen[str]"]
Leftovers = Callable[[Path], list[str]]


@pytest.fixture
def bare(checkout: Path) -> Path:
    """A checkout that needs no packages, so that installing needs no network."""
    (checkout / "requirements.txt").write_text("# none\n")
    (checkout / "pyproject.toml").write_text("[project.optional-dependencies]\nembedded = []\ntest = []\n")
    return checkout


def one_line(text: str) -> str:
    lines = text.splitlines()
    assert len(lines) == 1, text
    return lines[0]


def run_modified(root: Path, code: str) -> "subprocess.CompletedProcess[str]":
    """Run `python3 -m nexus` in an interpreter modified by this code."""
    script = f"import os, runpy, sys\n{code}\nrunpy.run_module('nexus', run_name='__main__', alter_sys=True)"
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py"])
def test_the_first_files_can_be_parsed_by_old_pythons(name: str) -> None:
    ast.parse((ROOT / "nexus" / name).read_text("utf-8"), feature_version=(3, 6))


def test_an_old_python_is_refused_with_the_version_needed() -> None:
    for minor in range(10, 5, -1):
        python = shutil.which(f"python3.{minor}")
        if python and subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0:
            break
    else:
        pytest.skip("no Python from 3.6 to 3.10 on the PATH")
    done = subprocess.run(
        [python, "-m", "nexus"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"Python 3.11 or newer, and this is 3.{minor}" in one_line(done.stderr)


def test_on_windows_the_message_names_wsl() -> None:
    done = run_modified(ROOT, "os.name = 'nt'")
    assert done.returncode == 1
    assert "WSL" in one_line(done.stderr)


def test_without_ensurepip_the_message_names_the_package(bare: Path) -> None:
    done = run_modified(bare, "sys.modules['ensurepip'] = None")
    assert done.returncode == 1
    assert f"apt install python3.{sys.version_info.minor}-venv" in one_line(done.stderr)


def test_unknown_commands_are_refused_and_help_is_shown(checkout: Path, start: Start) -> None:
    process = start(checkout, "fly")
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "--help" in one_line(stderr)
    process = start(checkout, "--help")
    usage, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "python3 -m nexus test" in usage
    _, stderr = start(checkout, WEB_CONCURRENCY="two").communicate(timeout=30)
    assert one_line(stderr) == "nexus: WEB_CONCURRENCY: must be a whole number"
    assert not (checkout / ".venv").exists()


def test_closed_streams_do_not_change_the_exit_code(checkout: Path, start: Start) -> None:
    help_output, refused = start(checkout, "--help", closed=">&-"), start(checkout, "fly", closed="2>&-")

    assert [process.wait(30) for process in (help_output, refused)] == [0, 2]
    assert help_output.communicate() == refused.communicate() == ("", "")


def test_installed_packages_are_not_installed_again(installed: Path, start: Start) -> None:
    process = start(installed, "test", "--version")
    out, stderr = process.communicate(timeout=30)
    assert process.returncode == 0
    assert (out + stderr).startswith("pytest ")


def test_changed_requirements_or_a_moved_checkout_need_a_new_installation(installed: Path) -> None:
    environment = Environment(installed)
    needed = extras("test", installed)
    assert environment.holds(needed)
    assert environment.holds(needed[:1])
    assert not environment.holds([*needed, "another"])
    with (installed / "requirements.txt").open("a") as locked:
        locked.write("\n# changed\n")
    assert not environment.holds(needed)
    environment.confirm(needed)
    moved = installed.rename(installed.with_name("moved"))
    assert not Environment(moved).holds(needed)
    moved.rename(installed)


def test_an_interrupted_installation_is_repeated(bare: Path, start: Start, leftovers: Leftovers) -> None:
    process = start(bare, "test")
    assert process.stderr
    assert "creating .venv" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in one_line(stderr.strip())
    assert not leftovers(bare)
    # As after a kill during ensurepip: an empty stamp, and some of the files.
    environment = Environment(bare)
    environment.stamp.write_bytes(b"")
    (environment.place / "leftover").touch()
    process = start(bare, "test", "--version")
    _, stderr = process.communicate(timeout=60)
    assert "No module named pytest" in stderr
    assert environment.holds([])
    assert not (environment.place / "leftover").exists()


def test_when_pip_fails_the_last_line_says_what_to_try(bare: Path, start: Start) -> None:
    (bare / "requirements.txt").write_text("./nowhere\n")
    process = start(bare, "test")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "is there a network?" in stderr.splitlines()[-1]
    assert "Traceback" not in stderr


def test_an_existing_venv_is_kept(bare: Path, start: Start) -> None:
    environment = Environment(bare)
    subprocess.run([sys.executable, "-m", "venv", str(environment.place)], check=True, timeout=60)
    (environment.place / "mine").touch()
    process = start(bare, "test")
    _, stderr = process.communicate(timeout=60)
    assert "creating" not in stderr
    assert (environment.place / "mine").exists()
    assert environment.holds([])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("DATABASE_URL=postgresql://h/d\n", True),
        ('export DATABASE_URL = "postgresql://h/d"\n', True),
        ("# DATABASE_URL=postgresql://h/d\n", False),
        ("DATABASE_URL=\nPORT=1\n", False),
        ("DATABASE_URL=''\n", False),
        ("DATABASE_URL='' # the embedded one\n", False),
        ("MY_DATABASE_URL=postgresql://h/d\n", False),
        ("DATABASE_URL=postgresql://h/d\nDATABASE_URL=\n", False),
    ],
)
def test_the_embedded_server_is_installed_only_without_database_url(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, text: str, *, found: bool
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    (checkout / ".env").write_text(text)
    assert has_database(checkout) is found
    assert bool(extras("up", checkout)) is not found
    monkeypatch.setitem(os.environ, "DATABASE_URL", "postgresql://h/d")
    assert not extras("up", checkout)
