"""Corrections of a file's rows, by table, id and field; each of them must find its row."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nexus.transfer.problems import Problem, Problems, TransferError
from nexus.transfer.reading import repeated
from nexus.transfer.tables import TABLES, Kind, Table


@dataclass(frozen=True)
class Correction:
    """The value of a field in the file, and the one that was used instead."""

    table: str
    id: str
    field: str
    was: Any
    now: Any


class Fixes:
    """The corrections of `--fixes`, and which of them were applied."""

    def __init__(self, wanted: dict[str, dict[str, dict[str, Any]]]) -> None:
        """Take the new values by table, id and field."""
        self.wanted = wanted
        self.made: list[Correction] = []
        self._used: set[tuple[str, str]] = set()

    @classmethod
    def load(cls, path: Path | None) -> "Fixes":
        """Read the file of corrections, if any; TransferError if it is invalid."""
        if path is None:
            return cls({})
        try:
            text = path.read_text(encoding="utf-8-sig")
            wanted = json.loads(text)
        except (ValueError, OSError, RecursionError) as error:
            raise TransferError(f"{path}: {error}") from None
        if twice := repeated(text):
            raise TransferError(f"{path}: {twice[0]!r} appears more than once in one object")
        names = {table.name: {field.wire for field in table.fields} for table in TABLES}
        if not isinstance(wanted, dict):
            raise TransferError(f"{path}: is not an object of tables")
        for table, rows in wanted.items():
            if table not in names:
                raise TransferError(f"{path}: {table!r} is not a table")
            if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
                raise TransferError(f"{path}: {table} is not an object of rows by id")
            for identity, row in rows.items():
                if unknown := row.keys() - names[table]:
                    raise TransferError(f"{path}: {table} {identity} has no field {min(unknown)!r}")
        return cls(wanted)

    def of(self, table: Table) -> dict[str, dict[str, Any]]:
        """The corrections of one table, by id."""
        return self.wanted.get(table.name, {})

    def apply(self, table: Table, row: dict[str, Any]) -> dict[str, Any]:
        """The row with its corrections applied."""
        identity = str(row.get("id"))
        changes = self.of(table).get(identity)
        if not changes:
            return row
        self._used.add((table.name, identity))
        for field in table.fields:
            if field.wire in changes:
                was, now = row.get(field.wire), changes[field.wire]
                if field.kind is Kind.HASH:
                    was, now = "a hash", "another hash"
                self.made.append(Correction(table.name, identity, field.wire, was, now))
        return row | changes

    def unused(self, problems: Problems) -> None:
        """Add a problem for every correction whose row is not in the file."""
        for table, rows in self.wanted.items():
            for identity in rows:
                if (table, identity) not in self._used:
                    reason = "the file has no such row to correct"
                    problems.add(Problem(None, table, None, reason, id=identity))
