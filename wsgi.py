"""The WSGI application for gunicorn, which the `flask` command finds here too."""

import sys

from nexus import create_app
from nexus.env_file import SettingsError

try:
    app = create_app()
except SettingsError as error:
    sys.exit(str(error))
