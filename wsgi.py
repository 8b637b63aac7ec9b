"""The WSGI application for gunicorn, which the `flask` command finds here too."""

from flask import Flask

from nexus import cli, create_app
from nexus.env_file import SettingsError

try:
    app: Flask = create_app()
except SettingsError as error:
    app = cli.only_help(str(error))
