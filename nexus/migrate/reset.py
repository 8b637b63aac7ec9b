"""Resetting the database: everything of ours is dropped, and nothing else."""

from nexus.migrate.catalogue import read
from nexus.migrate.check import schema, schema_errors
from nexus.migrate.declared import models, tables
from nexus.migrate.history import History
from nexus.migrate.rows import TABLE
from nexus.migrate.running import migration_lock


def reset(history: History) -> list[str]:
    """Drop the models' tables, their trigger functions and the history, then migrate; return the names.

    Everything is dropped in one transaction; SchemaError if a foreign object such as a view depends on it,
    or if another session keeps a lock. Raises MigrationError and DatabaseUnavailable as well.
    """
    with (
        schema_errors("nothing was dropped"),
        migration_lock(history.url, wait=history.wait, waiting=history.waiting) as database,
        database.atomic(),
    ):
        database.execute_sql("SELECT set_config('lock_timeout', %s, true)", (f"{history.limits.lock}s",))
        found = read(database.cursor(), schema(database), tables=tables())
        functions = {thing.name for thing in found if thing.kind == "function"}
        functions |= {f"{trigger.function}()" for model in models() for trigger in model.triggers}
        database.execute_sql(f"DROP TABLE IF EXISTS {', '.join([*tables(), TABLE])}")
        for function in sorted(functions):
            database.execute_sql(f"DROP FUNCTION IF EXISTS {function}")
    return history.migrate()
