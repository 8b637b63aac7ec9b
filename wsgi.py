"""What gunicorn serves, and where the `flask` command finds the application."""

import sys

from nexus import create_app
from nexus.env_file import SettingsError

try:
    app = create_app()
except SettingsError as error:
    sys.exit(str(error))
