"""The draft of a migration: the SQL that brings the database to what the models declare."""

import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from nexus.migrate.catalogue import Difference, Facts, Thing
from nexus.migrate.check import SchemaError, differences, lines, unapplied
from nexus.migrate.files import names
from nexus.migrate.history import History

NAME = re.compile("[a-z][a-z0-9_]*")

#: The order in which objects are dropped and created on the way up; the way down reverses it.
ORDER = (
    "drop trigger",
    "drop index",
    "drop constraint",
    "create table",
    "drop column",
    "create column",
    "alter column",
    "create key",
    "create constraint",
    "create index",
    "create function",
    "create trigger",
    "drop function",
)
NOTHING = "SELECT 1;"

FILE = '''"""{title}."""

import peewee
from peewee_migrate import Migrator
{remarks}
UP = """
{up}
"""

DOWN = """
{down}
"""


def migrate(migrator: Migrator, database: peewee.Database, *, fake: bool = False) -> None:
    """Bring the schema to what the models declare."""
    migrator.sql(UP)


def rollback(migrator: Migrator, database: peewee.Database, *, fake: bool = False) -> None:
    """Bring the schema back."""
    migrator.sql(DOWN)
'''


class Step(NamedTuple):
    """One statement up, and the one that undoes it; None if the `down` of another step undoes it too."""

    order: str
    up: str
    down: str | None


@dataclass
class Draft:
    """The steps of a migration, as far as they can be derived."""

    steps: list[Step] = field(default_factory=list)
    #: What is left to a person, one line each.
    open: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, found: list[Difference]) -> "Draft":
        """The steps from the left of these differences to their right."""
        draft = cls()
        fresh = {one.thing.table: list[Difference]() for one in found if one.thing.kind == "table"}
        columns = (one for one in found if one.thing.kind == "column" and one.thing.table not in fresh)
        absent = [one.thing for one in columns if one.left is None and not _can_be_added(one)]
        for one in found:
            if one.thing.kind == "column" and one.thing.table in fresh:
                fresh[one.thing.table].append(one)
            elif one.thing.kind == "column":
                draft._column(one)
            elif any(_needs(one, column) for column in absent):
                draft.open += lines([one])
            elif one.thing.kind != "table":
                # Dropped together with its table, except for functions, which can only go after triggers.
                draft._object(one, alone=one.thing.table not in fresh or one.thing.kind == "trigger")
        draft._tables(fresh)
        draft.steps.sort(key=lambda step: ORDER.index(step.order))
        return draft

    def up(self) -> str:
        """The SQL to apply it."""
        return "\n".join(step.up for step in self.steps) or NOTHING

    def down(self) -> str:
        """The SQL to undo it."""
        return "\n".join(step.down for step in reversed(self.steps) if step.down) or NOTHING

    def _tables(self, fresh: dict[str, list[Difference]]) -> None:
        # Dropped in one statement, since they may refer to each other.
        down: str | None = f"DROP TABLE {', '.join(fresh)};"
        for table, columns in fresh.items():
            described = ",\n".join(f"    {_described(one.thing, one.right or {})}" for one in columns)
            self.steps.append(Step("create table", f"CREATE TABLE {table} (\n{described}\n);", down))
            down = None

    def _object(self, one: Difference, *, alone: bool) -> None:
        """Add the steps for a constraint, index, trigger or function; a changed one is created anew."""
        thing, left, right = one.thing, one.left, one.right
        if left and right and "definition" not in one.changed():
            self.open += lines([one])
            return
        if left and right and thing.kind == "function":
            # Replaced in place, since triggers depend on it.
            self.steps.append(Step("create function", _create(thing, right), _create(thing, left)))
            return
        if left:
            self.steps.append(Step(f"drop {thing.kind}", _drop(thing), _create(thing, left)))
        if right:
            order = "create key" if _is_key(right) else f"create {thing.kind}"
            self.steps.append(Step(order, _create(thing, right), _drop(thing) if alone else None))

    def _column(self, one: Difference) -> None:
        thing, left, right = one.thing, one.left, one.right
        if left is not None and right is not None:
            self._change(one, left, right)
            return
        facts = left or right or {}
        if not _can_be_added(one):
            self.open += [f"{line}, NOT NULL without a default" for line in lines([one])]
            return
        add = f"ALTER TABLE {thing.table} ADD COLUMN {_described(thing, facts)};"
        drop = f"ALTER TABLE {thing.table} DROP COLUMN {thing.name};"
        self.steps.append(Step("create column", add, drop) if right else Step("drop column", drop, add))

    def _change(self, one: Difference, left: Facts, right: Facts) -> None:
        column = f"ALTER TABLE {one.thing.table} ALTER COLUMN {one.thing.name}"
        for fact in one.changed():
            before, after = left[fact], right[fact]
            if fact == "type" or "GENERATED" in f"{before} {after}":
                self.open += lines([Difference(one.thing, {fact: before}, {fact: after})])
            elif fact == "null":
                set_, drop = f"{column} SET NOT NULL;", f"{column} DROP NOT NULL;"
                up, down = (set_, drop) if after == "not null" else (drop, set_)
                self.steps.append(Step("alter column", up, down))
            else:
                up, down = (
                    f"{column} SET {one};" if one else f"{column} DROP DEFAULT;" for one in (after, before)
                )
                self.steps.append(Step("alter column", up, down))


def write(history: History, name: str) -> tuple[Path, list[str]]:
    """Write the file of the next migration; return its path, and what is left to a person.

    Raises SchemaError if the name is invalid, migrations are pending or the file exists already.
    """
    if not NAME.fullmatch(name):
        raise SchemaError(f"{name!r} is not a valid name for a migration: write it like add_note")
    if waiting := unapplied(history):
        raise SchemaError(f"run flask migrate first: {', '.join(waiting)} pending")
    draft = Draft.of(differences(history))
    number = max((int(known[:3]) for known in names(history.directory)), default=0) + 1
    path = history.directory / f"{number:03}_{name}.py"
    try:
        with path.open("x", encoding="ascii") as file:
            file.write(text(name, draft))
    except OSError as error:
        raise SchemaError(f"{path} cannot be written: {error.strerror}") from error
    return path, draft.open


def text(name: str, draft: Draft) -> str:
    """The Python source of the file, in ASCII."""
    remarks = ["Read this draft before you apply it: it does not know what the rows need."]
    if not draft.steps and not draft.open:
        remarks = ["The database already matches the models, so this draft changes nothing yet."]
    if draft.open:
        remarks += ["These differences are left to you:", *(f"- {line}" for line in draft.open)]
    wrapped = [textwrap.fill(line, 100, initial_indent="# ", subsequent_indent="# ") for line in remarks]
    return FILE.format(
        title=name.replace("_", " ").capitalize(),
        remarks="\n" + _ascii("\n".join(wrapped)) + "\n",
        up=_literal(draft.up()),
        down=_literal(draft.down()),
    )


def _literal(sql: str) -> str:
    """SQL escaped for triple quotes, and for the driver, to which % starts a parameter."""
    return _ascii(sql.replace("%", "%%").replace("\\", "\\\\").replace('"""', '""\\"'))


def _ascii(sql: str) -> str:
    return sql.encode("ascii", "backslashreplace").decode()


def _described(thing: Thing, facts: Facts) -> str:
    parts = (thing.name, facts["type"], facts["default"], "NOT NULL" if facts["null"] == "not null" else None)
    return " ".join(part for part in parts if part)


def _create(thing: Thing, facts: Facts) -> str:
    definition = (facts["definition"] or "").rstrip()
    if thing.kind == "constraint":
        return f"ALTER TABLE {thing.table} ADD CONSTRAINT {thing.name} {definition};"
    return f"{definition};"


def _drop(thing: Thing) -> str:
    if thing.kind == "constraint":
        return f"ALTER TABLE {thing.table} DROP CONSTRAINT {thing.name};"
    return f"DROP {thing.kind.upper()} {thing.name}" + (
        f" ON {thing.table};" if thing.kind == "trigger" else ";"
    )


def _can_be_added(one: Difference) -> bool:
    """Whether a column can be added to existing rows: it is nullable or has a default."""
    facts = one.left or one.right or {}
    return facts["null"] == "null" or facts["default"] is not None


def _needs(one: Difference, column: Thing) -> bool:
    """Whether a missing object refers to a column that the draft cannot add; it is left to a person too."""
    definition = (one.right or {}).get("definition") or ""
    near = one.thing.table == column.table or f"REFERENCES {column.table}(" in definition
    name = rf'(?<![\w"]){re.escape(column.name)}(?![\w"])'
    return near and re.search(name, definition) is not None


def _is_key(facts: Facts) -> bool:
    """Whether it is a constraint to which a foreign key can refer."""
    return (facts["definition"] or "").startswith(("PRIMARY KEY", "UNIQUE"))
