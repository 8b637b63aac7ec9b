"""Schema migrations: their history, and applying them."""

from nexus.migrate.files import MigrationError, names
from nexus.migrate.history import History, pending

__all__ = ["History", "MigrationError", "names", "pending"]
