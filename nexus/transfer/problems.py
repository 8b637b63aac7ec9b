"""The problems of a file, each with its position, up to a limit."""

from dataclasses import dataclass, field
from typing import Any

from nexus.transfer.reading import Broken, File

#: UTF-8's continuation bytes: each character has exactly one byte that is not one of these.
CONTINUATION = bytes(range(0x80, 0xC0))
STEP = 2**20


class TransferError(Exception):
    """An import, verification, export or backup failed; the text is one line that says why."""


def outdated(error: Any) -> TransferError:
    """The error for a database that lacks a table or column."""
    return TransferError(f"{error.diag.message_primary}: bring the schema up to date with flask migrate")


@dataclass
class Problem:
    """An invalid value or row."""

    #: The byte offset in the file; None if it is not in the file.
    place: int | None
    table: str | None
    field: str | None
    reason: str
    id: Any = None
    #: Counted from 1, the column in characters.
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}: " if self.line else ""
        what = " ".join(str(part) for part in (self.table, self.id, self.field) if part is not None)
        return f"{where}{what}{': ' if what else ''}{self.reason}"


@dataclass
class Problems:
    """The first problems, and the number of all."""

    limit: int
    count: int = 0
    found: list[Problem] = field(default_factory=list)

    def add(self, problem: Problem, *, more: int = 0) -> None:
        """Add a problem; `more` counts further ones of its kind that are not listed."""
        self.count += 1 + more
        if len(self.found) < self.limit or problem.place is None:
            self.found.append(problem)

    def empty(self) -> "Problems":
        """An empty list with the same limit, to be joined later."""
        return Problems(self.limit)

    def join(self, others: "Problems", *, file: File) -> None:
        """Add others, sort all by their position, and give each its line, column and id."""
        self.count += others.count
        self.found = sorted(self.found + others.found, key=lambda problem: problem.place or -1)[: self.limit]
        line, column, position = 1, 1, 0
        for problem in self.found:
            if problem.place is None:
                continue
            while position < problem.place:
                step = file.data[position : min(problem.place, position + STEP)]
                if b"\n" in step:
                    line += step.count(b"\n")
                    column, step = 1, step[step.rindex(b"\n") + 1 :]
                column += len(step.translate(None, CONTINUATION))
                position = min(problem.place, position + STEP)
                file.forget()
            problem.line, problem.column = line, column
            if problem.id is None and problem.field is not None:
                problem.id = _id(file, problem.place)


def _id(file: File, place: int) -> Any:
    """The id of the row at an offset, as in the file."""
    try:
        row = file.row(place)
    except Broken:
        return None
    return row.get("id") if isinstance(row, dict) else None
