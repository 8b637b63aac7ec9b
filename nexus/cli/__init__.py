"""The commands of `flask`: they parse, call and print."""

from flask import Flask

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
