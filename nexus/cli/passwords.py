"""Passwords that the operator chooses: how they are asked for, and which are refused."""

import sys

import click
from flask import current_app

from nexus.config import Settings
from nexus.i18n import message
from nexus.security import strength


def asked() -> str:
    """A password that no list of processes and no shell history shows."""
    if sys.stdin is None:
        raise click.ClickException("there is no standard input to read the password from")
    if sys.stdin.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return typed
    given = sys.stdin.readline().rstrip("\r\n")
    # Bytes that are no text are refused here, and not by whoever would have to store them.
    given.encode()
    return given


def refuse_weak(password: str, *, email: str, name: str = "the password") -> None:
    """End a command whose password the API would refuse for more than its length."""
    settings: Settings = current_app.config["SETTINGS"]
    code = strength.objection(password, email=email, least=settings.password_min_score)
    if code is not None:
        raise click.ClickException(f"{name} {message(f'field.{code}', 'en')}")
