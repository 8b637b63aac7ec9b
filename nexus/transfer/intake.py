"""Conversion of rows from JSON to the text format of COPY; invalid rows are reported."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import orjson

from nexus.transfer.fixes import Fixes
from nexus.transfer.problems import Problem, Problems
from nexus.transfer.reading import ID, Batch, repeated, scalar
from nexus.transfer.rows import NULL, Refused, old_id, rule
from nexus.transfer.tables import ORDERS, Table

#: A key with a space before its colon, which the count in `Intake._rows` misses.
SPACED = re.compile(rb'"[ \t\r\n]+:')


@dataclass
class Cells:
    """The cells of some rows as text, one sequence for each column of the table."""

    places: list[int]
    #: For each row, the mask of `Table.given`.
    given: list[int]
    columns: list[Sequence[str]]


class Intake:
    """Converts batches of rows, column by column; only if that fails, row by row."""

    def __init__(self, fixes: Fixes, problems: Problems) -> None:
        """Take the corrections to apply first, and the list for the problems that remain."""
        self.fixes = fixes
        self.problems = problems

    def cells(self, batch: Batch) -> Cells:
        """The cells of a batch; invalid ones are null and reported as problems."""
        rows = self._rows(batch)
        if self.fixes.of(batch.table) or (batch.keys and batch.table.keyed_by):
            rows = self._corrected(batch, rows)
        try:
            return _together(batch, rows)
        except (Refused, KeyError, TypeError, AttributeError):
            return self._one_by_one(batch, rows)

    def _rows(self, batch: Batch) -> list[Any]:
        """The parsed rows; None for a row that is not JSON."""
        text = b",".join(batch.rows)
        try:
            rows: list[Any] = orjson.loads(b"[" + text + b"]")
        except orjson.JSONDecodeError:
            rows = [self._row(batch, number) for number in range(len(batch.rows))]
        # A value that looks like the end of a key makes the count larger, never smaller, so a repeated key
        # is always noticed.
        keys = text.count(b'":')
        if SPACED.search(text) or keys != sum(len(row) for row in rows if isinstance(row, dict)):
            self._repeated(batch, rows)
        return rows

    def _repeated(self, batch: Batch, rows: list[Any]) -> None:
        """Report the fields that a row has twice, of which a JSON parser keeps the last."""
        for place, text, row in zip(batch.places, batch.rows, rows, strict=True):
            if isinstance(row, dict):
                for name in repeated(text.decode(errors="surrogateescape")):
                    reason = "appears in the row more than once"
                    self.problems.add(Problem(place, batch.table.name, name, reason, id=row.get("id")))

    def _row(self, batch: Batch, number: int) -> Any:
        # The standard library's parser accepts lone surrogates, so that the field can be named.
        text = batch.rows[number].decode(errors="surrogateescape")
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            failed = len(text[: getattr(error, "pos", 0)].encode(errors="surrogateescape"))
            known = ID.search(batch.rows[number])
            self.problems.add(
                Problem(
                    batch.places[number] + failed,
                    batch.table.name,
                    None,
                    f"is not JSON: {str(error).partition(':')[0]}",
                    id=scalar(known[1]) if known else None,
                )
            )
            return None

    def _corrected(self, batch: Batch, rows: list[Any]) -> list[Any]:
        table = batch.table
        corrected = [self.fixes.apply(table, row) if isinstance(row, dict) else row for row in rows]
        if batch.keys and table.keyed_by:
            keys = [str(scalar(key)) for key in batch.keys]
            for number, key in enumerate(keys):
                # A correction may change the field that the key came from, or make it equal to the key.
                versions = [row for row in (rows[number], corrected[number]) if isinstance(row, dict)]
                names = {str(row.get(name)) for row in versions for name in table.keyed_by}
                if versions and key not in names:
                    reason = f"is not {key!r}, the key of the row in its map"
                    place = batch.places[number]
                    self.problems.add(Problem(place, table.name, table.keyed_by[0], reason))
        return corrected

    def _one_by_one(self, batch: Batch, rows: list[Any]) -> Cells:
        given: list[int] = []
        lines: list[list[str]] = []
        for place, row in zip(batch.places, rows, strict=True):
            if row is not None and not isinstance(row, dict):
                self.problems.add(Problem(place, batch.table.name, None, "is not an object"))
            known = row if isinstance(row, dict) else {}
            given.append(batch.table.given(known))
            lines.append(
                self._cells(batch.table, place, known) if known or row == {} else self._no_cells(batch)
            )
        return Cells(batch.places, given, list(zip(*lines, strict=True)))

    def _no_cells(self, batch: Batch) -> list[str]:
        return [NULL] * len(batch.table.fields)

    def _cells(self, table: Table, place: int, row: dict[str, Any]) -> list[str]:
        def refuse(field: str, reason: object) -> str:
            self.problems.add(Problem(place, table.name, field, str(reason), id=row.get("id")))
            return NULL

        wires = {field.wire for field in table.fields}
        for name in row:
            if name not in wires:
                refuse(name, "is not a known field")
        if table is ORDERS:
            try:
                row = {**row, "oldId": old_id(row.get("id"), row.get("oldId"))}
            except Refused as error:
                refuse("oldId", error)
        cells = []
        for field in table.fields:
            if field.wire in row:
                try:
                    cells.append(rule(field)(row[field.wire]))
                except Refused as error:
                    cells.append(refuse(field.wire, error))
            else:
                cells.append(NULL if field.default else refuse(field.wire, "is missing"))
        return cells


def _together(batch: Batch, rows: list[Any]) -> Cells:
    """The cells of rows that all have the same fields and are all valid; otherwise some error."""
    table, names = batch.table, list(rows[0])
    if set(map(len, rows)) != {len(names)} or len(names) < 2:
        raise KeyError
    columns: dict[str, Sequence[Any]] = dict(
        zip(names, zip(*map(itemgetter(*names), rows), strict=True), strict=True)
    )
    given = [table.given(columns)] * len(rows)
    if table is ORDERS:
        none = [None] * len(rows)
        columns["oldId"] = list(map(old_id, columns["id"], columns.get("oldId", none)))
    cells: list[Sequence[str]] = []
    for field in table.fields:
        if field.default and field.wire not in columns:
            cells.append([NULL] * len(rows))
        else:
            cells.append(list(map(rule(field), columns.pop(field.wire))))
    if columns:
        raise KeyError
    return Cells(batch.places, given, cells)
