"""The schema's history, and making the database agree with it."""

from nexus.migrate.files import MigrationError, names
from nexus.migrate.history import History, pending

__all__ = ["History", "MigrationError", "names", "pending"]
