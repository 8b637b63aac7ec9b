"""The commands of `flask`: they parse, call and print."""

from flask import Flask

from nexus.cli.bench import bench
from nexus.cli.db import db
from nexus.cli.migrate import migrate
from nexus.cli.seed import seed


def init_app(app: Flask) -> None:
    """Add the commands to `flask`."""
    db.add_command(bench)
    for command in (db, migrate, seed):
        app.cli.add_command(command)
