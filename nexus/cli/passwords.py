"""Passwords chosen by the operator: how they are read, and which are refused."""

import sys

import click
from flask import current_app

from nexus.config import Settings
from nexus.i18n import message
from nexus.security import strength


def asked() -> str:
    """Read a password in a way that shows it neither in the process list nor in the shell history."""
    if sys.stdin is None:
        raise click.ClickException("there is no standard input to read the password from")
    if sys.stdin.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return typed
    given = sys.stdin.readline().rstrip("\r\n")
    # Bytes that are not valid text raise an error here, and not later in the database.
    given.encode()
    return given


def refuse_weak(password: str, *, email: str, name: str = "the password") -> None:
    """End a command whose password the API would refuse as too weak."""
    settings: Settings = current_app.config["SETTINGS"]
    code = strength.objection(password, email=email, least=settings.password_min_score)
    if code is not None:
        raise click.ClickException(f"{name} {message(f'field.{code}', 'en')}")
