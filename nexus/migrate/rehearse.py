"""The rehearsal of pending migrations: up, down and up again in a copy, with what each statement did."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from nexus.database_url import DatabaseURL
from nexus.migrate.catalogue import Catalogue, Difference, compare, read_all
from nexus.migrate.check import rolled_back, schema, unapplied
from nexus.migrate.files import MigrationError
from nexus.migrate.history import History
from nexus.migrate.observed import Statement, observing
from nexus.migrate.rows import TABLE
from nexus.migrate.scratch import copied

TABLES = """
SELECT oid::int8, quote_ident(relname) FROM pg_class
WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p')
"""


class Snapshot(NamedTuple):
    """The state of the copy at one moment."""

    catalogue: Catalogue
    #: The row count of each table; empty if rows were not copied.
    rows: dict[str, int]


@dataclass
class Act:
    """One migration in one direction."""

    migration: str
    #: `up` or `down`.
    direction: str
    statements: list[Statement]


@dataclass
class Rehearsal:
    """The result; without acts there was nothing to rehearse."""

    acts: list[Act] = field(default_factory=list)
    #: Reasons not to apply them, one line each.
    problems: list[str] = field(default_factory=list)
    #: Columns, tables and rows that are lost on the way up or down, one line each.
    losses: list[str] = field(default_factory=list)


def rehearse(history: History, *, data: bool) -> Rehearsal:
    """Run the pending migrations up, down and up again in a copy of the schema, and of the rows with `data`.

    The copy is always dropped. Raises MigrationError if a migration fails, SchemaError if the copy cannot be
    created, and DatabaseUnavailable.
    """
    rehearsal = Rehearsal()
    if not unapplied(history):
        return rehearsal
    with copied(history, data=data) as url:
        copy = _on(history, url)
        before = _snapshot(copy, data=data)
        up = _run(copy, rehearsal, direction="up", data=data)
        down = _run(copy, rehearsal, direction="down", data=data)
        again = _repeat(copy, rehearsal, data=data)
    rehearsal.problems += [f"down does not restore the schema: {line}" for line in _differences(before, down)]
    rehearsal.problems += [f"up again differs from up: {line}" for line in _differences(up, again or up)]
    rehearsal.problems += [f"up loses {line}" for line in _lost_rows(before, up)]
    rehearsal.losses += [f"up drops {line}" for line in _dropped(before, up)]
    rehearsal.losses += [f"down drops {line}" for line in _dropped(up, down)]
    rehearsal.losses += [f"down loses {line}" for line in _lost_rows(up, down)]
    return rehearsal


def _on(history: History, url: DatabaseURL) -> History:
    return History(url, wait=history.wait, directory=history.directory, limits=history.limits)


def _run(copy: History, rehearsal: Rehearsal, *, direction: str, data: bool) -> Snapshot:
    seen: list[Statement] = []

    def done(name: str) -> None:
        rehearsal.acts.append(Act(name, direction, seen.copy()))
        seen.clear()

    with rolled_back(copy) as database:
        tables = dict(database.execute_sql(TABLES, (schema(database),)).fetchall())
    cursors = {"cursor_factory": observing(seen.append, tables)}
    assert copy.url
    watched = _on(copy, replace(copy.url, parameters=copy.url.parameters | cursors))  # type: ignore[arg-type]
    if direction == "up":
        watched.migrate(tell=done)
    else:
        watched.rollback(count=len(rehearsal.acts), tell=done)
    return _snapshot(copy, data=data)


def _repeat(copy: History, rehearsal: Rehearsal, *, data: bool) -> Snapshot | None:
    try:
        copy.migrate()
    except MigrationError as error:
        rehearsal.problems.append(f"up again: {error}")
        return None
    return _snapshot(copy, data=data)


def _snapshot(copy: History, *, data: bool) -> Snapshot:
    with rolled_back(copy) as database:
        here = schema(database)
        tables = database.execute_sql(TABLES, (here,)).fetchall() if data else []
        rows = {
            table: database.execute_sql(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            for _, table in tables
            if table != TABLE
        }
        return Snapshot(read_all(database.cursor(), here, excluding=[TABLE]), rows)


def _differences(left: Snapshot, right: Snapshot) -> Iterator[str]:
    for one in compare(left.catalogue, right.catalogue):
        yield from _lines(one)


def _lines(one: Difference) -> Iterator[str]:
    named = f"column {one.thing}" if one.thing.kind == "column" else str(one.thing)
    if one.left is None or one.right is None:
        yield f"{named} is {'new' if one.left is None else 'gone'}"
        return
    for fact in one.changed():
        yield f"{named} has {one.right[fact]} for {one.left[fact]}".replace("None", "no default")


def _dropped(left: Snapshot, right: Snapshot) -> Iterator[str]:
    """The tables and columns that are in the left snapshot and not in the right one."""
    gone = [thing for thing in left.catalogue if thing not in right.catalogue]
    tables = {thing.table for thing in gone if thing.kind == "table"}
    for thing in gone:
        if thing.kind == "table":
            rows = left.rows.get(thing.table)
            yield str(thing) + ("" if rows is None else f" with {rows} rows")
        elif thing.kind == "column" and thing.table not in tables:
            yield f"column {thing}"


def _lost_rows(left: Snapshot, right: Snapshot) -> Iterator[str]:
    """The rows that a table has lost."""
    for table, rows in left.rows.items():
        if right.rows.get(table, rows) < rows:
            yield f"{rows - right.rows[table]} of {rows} rows of {table}"
