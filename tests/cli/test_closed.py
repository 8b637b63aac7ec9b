"""Commands with closed standard streams, as a scheduler may start them, and with undecodable input."""

import subprocess
import sys
from pathlib import Path

import pytest

from nexus.config import Settings
from tests.environment import environment
from tests.factories import Person
from tests.sql import query


def shell(
    root: Path, settings: Settings, words: str, typed: bytes = b"", **changes: str
) -> "subprocess.CompletedProcess[bytes]":
    """Run a `flask` command in a shell, with redirections among its arguments."""
    command = f'exec "{sys.executable}" -m flask {words}'
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=root,
        env=environment(settings, **changes),
        input=typed,
        capture_output=True,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("users erase seller@example.com", "this deletes user "),
        ("orders erase-buyer buyer@example.com", "this cannot be undone: add --yes"),
        ("db reset", "this drops every row of the shop: add --yes"),
    ],
)
def test_with_closed_stdin_a_command_that_needs_confirmation_fails(
    root: Path, settings: Settings, seller: Person, words: str, said: str
) -> None:
    run = shell(root, settings, f"{words} <&-")

    assert (run.returncode, run.stdout) == (1, b"")
    assert run.stderr.startswith(f"Error: {said}".encode())
    assert run.stderr.count(b"\n") == 1
    assert query(settings, f"SELECT count(*) FROM users WHERE id = {seller.id}") == [(1,)]


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("words", ["db backup", "db export"])
def test_backup_and_export_work_with_closed_stderr(
    root: Path, settings: Settings, tmp_path: Path, words: str
) -> None:
    file = tmp_path / "shop.json"

    run = shell(root, settings, f"{words} '{file}' 2>&-")

    assert run.returncode == 0
    assert file.stat().st_size


@pytest.mark.parametrize("closed", ["<&-", ">&-"])
def test_restore_refuses_when_it_cannot_ask_for_confirmation(
    root: Path, settings: Settings, seller: Person, tmp_path: Path, closed: str
) -> None:
    file = tmp_path / "shop.backup"
    shell(root, settings, f"db backup '{file}'")
    query(settings, f"UPDATE users SET email = 'later@example.com' WHERE id = {seller.id}")

    run = shell(root, settings, f"db restore '{file}' {closed}", b"y\n")

    refusal = b"Error: nothing was replaced: answer yes, or add --yes to skip the question\n"
    assert (run.returncode, run.stdout, run.stderr) == (1, b"", refusal)
    assert query(settings, "SELECT email FROM users") == [("later@example.com",)]


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("locale", ["C.UTF-8", "en_US.ISO-8859-1", "POSIX"])
def test_an_undecodable_password_is_refused_in_one_line(root: Path, settings: Settings, locale: str) -> None:
    run = shell(root, settings, "users create new@example.com", b"pass\xffword\n", LC_ALL=locale)

    assert (run.returncode, run.stdout) == (1, b"")
    assert run.stderr.startswith(b"Error: the input is not valid ")
    assert run.stderr.count(b"\n") == 1
    assert query(settings, "SELECT FROM users WHERE email = 'new@example.com'") == []
