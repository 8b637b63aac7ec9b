"""The commands of `flask`: they parse, call and print."""

import sys

import click
from flask import Flask
from flask.cli import FlaskGroup

from nexus.cli.backup import backup, restore
from nexus.cli.bench import bench
from nexus.cli.check import check, revision
from nexus.cli.db import db
from nexus.cli.doctor import doctor
from nexus.cli.export import export
from nexus.cli.migrate import migrate, rollback, status
from nexus.cli.openapi import openapi
from nexus.cli.orders import orders
from nexus.cli.products import products
from nexus.cli.rehearse import rehearse
from nexus.cli.reset import reset
from nexus.cli.seed import seed
from nexus.cli.studio import studio
from nexus.cli.sweep import sweep
from nexus.cli.transfer import import_file, verify_file
from nexus.cli.users import users

OF_DB = (
    *(backup, bench, check, doctor, export, import_file, rehearse),
    *(reset, restore, revision, rollback, status, sweep, verify_file),
)


def init_app(app: Flask) -> None:
    """Add the commands to `flask`."""
    for command in OF_DB:
        db.add_command(command)
    for command in (db, migrate, openapi, orders, products, seed, studio, users):
        app.cli.add_command(command)


def only_help(invalid: str) -> Flask:
    """An application for `flask --help` and the help of each command, while the settings are invalid.

    Its commands exit with the text, and so does this function if more than the commands is needed.
    """
    context = click.get_current_context(silent=True)
    # The group looks up the commands of the application; `flask run`, for one, has a context of its own.
    if context is None or not isinstance(context.command, FlaskGroup):
        sys.exit(invalid)
    app = Flask("nexus")
    app.config["INVALID_SETTINGS"] = invalid
    init_app(app)
    return app
