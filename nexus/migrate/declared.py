"""The schema that the models declare, in the form in which the server prints it."""

import secrets
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import peewee

import nexus.models
from nexus.migrate.catalogue import Catalogue, read
from nexus.migrate.running import Direct
from nexus.models.base import Model


def models() -> list[type[Model]]:
    """Every model, each after those that it refers to."""
    for module in iter_modules(nexus.models.__path__):
        import_module(f"nexus.models.{module.name}")
    found: list[type[Model]] = peewee.sort_models(Model.__subclasses__())  # type: ignore[attr-defined]
    return found


def tables() -> list[str]:
    """The names of the models' tables, each after those that it refers to."""
    return [table_of(model) for model in models()]


def table_of(model: Any) -> str:
    """The name of a model's table."""
    return str(model._meta.table_name)


def declared(database: Direct) -> Catalogue:
    """The catalogue of the models, created in a temporary schema in the caller's transaction.

    The caller rolls it back.
    """
    schema = f"nexus_models_{secrets.token_hex(6)}"
    database.execute_sql(f"CREATE SCHEMA {schema}")
    # What the models do not create, such as types of extensions, is found on the rest of the path.
    path = f"SELECT set_config('search_path', '{schema}, ' || current_setting('search_path'), true)"
    database.execute_sql(path)
    for model in models():
        peewee.SchemaManager(model, database).create_all(safe=False)
        for trigger in model.triggers:
            for statement in trigger.statements(table_of(model)):
                database.execute_sql(statement)
    return read(database.cursor(), schema, tables=tables())
