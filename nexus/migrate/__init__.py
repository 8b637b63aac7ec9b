"""The schema's history, and making the database agree with it."""

from nexus.migrate.history import History, MigrationError, names, pending

__all__ = ["History", "MigrationError", "names", "pending"]
