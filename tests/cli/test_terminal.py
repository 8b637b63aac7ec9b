"""Commands at a terminal: a password is asked for twice and not echoed; an invisible prompt is an error."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from nexus.config import Settings
from tests.environment import environment
from tests.factories import Person, register
from tests.sql import query

#: A session leader that opens a terminal gets it as its controlling terminal.
AT_TERMINAL = 'exec "$@" <"$0" >"$0" 2>&1'
#: The same without standard output: only stderr reaches the terminal.
WITHOUT_OUTPUT = 'exec "$@" <"$0" 2>"$0" >&-'


def at_terminal(
    root: Path,
    settings: Settings,
    *words: str,
    answers: list[tuple[str, str]],
    redirected: str = AT_TERMINAL,
) -> str:
    """Run a command, answer its prompts in turn and return everything that the terminal shows."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["sh", "-c", redirected, os.ttyname(theirs), sys.executable, "-m", "flask", *words],
        cwd=root,
        env=environment(settings),
        start_new_session=True,
    )
    shown = ""
    with os.fdopen(ours, "r+b", buffering=0) as terminal:
        for prompt, answer in answers:
            while not shown.endswith(prompt):
                shown += terminal.read(1).decode("latin-1")
            terminal.write(f"{answer}\n".encode())
        # If closed earlier, the terminal could hang up before the process has opened it.
        process.wait(timeout=60)
        os.close(theirs)
        try:
            while found := terminal.read(1024):
                shown += found.decode("latin-1")
        except OSError:
            # The other end is closed.
            pass
    return shown


@pytest.mark.parametrize("command", ["create", "set-password"])
def test_a_typed_password_is_not_echoed(root: Path, settings: Settings, app: Flask, command: str) -> None:
    if command == "set-password":
        register(app, "anna@example.com")
    typed = [
        ("Password: ", "a hidden password"),
        ("Repeat for confirmation: ", "another one"),
        ("Password: ", "a hidden password"),
        ("Repeat for confirmation: ", "a hidden password"),
    ]

    shown = at_terminal(root, settings, "users", command, "anna@example.com", answers=typed)

    assert "The two entered values do not match" in shown
    assert "hidden" not in shown
    body = {"email": "anna@example.com", "password": "a hidden password"}
    assert Person(app).post("/api/auth/login", body).status_code == 200


def test_a_confirmation_that_cannot_be_shown_is_an_error(
    root: Path, settings: Settings, seller: Person
) -> None:
    words = ("users", "erase", "seller@example.com")

    shown = at_terminal(root, settings, *words, answers=[], redirected=WITHOUT_OUTPUT)

    what = f"user {seller.id}, seller@example.com, with 0 products"
    assert shown == f"Error: this deletes {what}: add --yes to do it\r\n"
    assert query(settings, "SELECT count(*) FROM users") == [(1,)]
