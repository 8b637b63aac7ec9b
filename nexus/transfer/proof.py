"""The proof: a checksum of every column and the amounts by status, from the file and from the database."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from nexus.transfer.rows import NULL
from nexus.transfer.staging import is_given, staged
from nexus.transfer.tables import Field, Table

BLOCK_ROWS = 5000


@dataclass
class Sum:
    """The number of rows with one status, and their total amount, in the currencies' smallest units."""

    rows: int = 0
    amount: int = 0


class Digest:
    """Checksums and sums over a table's rows in file order, computed from the file and from the database."""

    def __init__(self, table: Table) -> None:
        """Start without rows."""
        self.table = table
        self.rows = 0
        self.sums: dict[str, Sum] = {}
        #: The number of values that are not null, by field name.
        self.values = dict.fromkeys((field.wire for field in table.fields), 0)
        self._hashes = [sha256() for _ in table.fields]

    def add(self, columns: Sequence[Sequence[str]]) -> None:
        """Add rows in the text format of COPY, column by column."""
        for name, hashed, cells in zip(self.values, self._hashes, columns, strict=True):
            hashed.update(("\n".join(cells) + "\n").encode())
            self.values[name] += len(cells) - cells.count(NULL)
        self.rows += len(columns[0])
        if self.table.summed:
            amounts, groups = (columns[self.table.columns.index(name)] for name in self.table.summed)
            for group, amount in zip(groups, amounts, strict=True):
                total = self.sums.setdefault(group, Sum())
                total.rows += 1
                total.amount += int(amount)

    @property
    def checksums(self) -> dict[str, str]:
        """SHA-256 of each column, by field name."""
        return {
            field.wire: hashed.hexdigest()
            for field, hashed in zip(self.table.fields, self._hashes, strict=True)
        }


@dataclass
class ColumnProof:
    """The checksums of one column on both sides."""

    field: str
    #: The number of the file's values in it.
    values: int
    file: str
    database: str

    @property
    def holds(self) -> bool:
        """Whether they are equal."""
        return self.file == self.database


@dataclass
class TableProof:
    """The rows of one table in a file, and their proof."""

    table: str
    read: int
    written: int = 0
    already_there: int = 0
    columns: list[ColumnProof] = field(default_factory=list)
    #: By status: the file's sum and the database's.
    sums: dict[str, tuple[Sum, Sum]] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether the database matches the file."""
        return all(column.holds for column in self.columns) and all(
            file == database for file, database in self.sums.values()
        )


def compare(proof: TableProof, file: Digest, database: Digest) -> None:
    """Fill in the proof of a table from both sides."""
    theirs = database.checksums
    proof.columns = [
        ColumnProof(name, file.values[name], ours, theirs[name]) for name, ours in file.checksums.items()
    ]
    for group in sorted({*file.sums, *database.sums}):
        proof.sums[group] = (file.sums.get(group, Sum()), database.sums.get(group, Sum()))


def from_database(cursor: Any, table: Table) -> Digest:
    """The digest of the rows in the table that have the ids of the staged ones, read back from the server."""
    digest = Digest(table)
    block = _Block(digest)
    columns = ", ".join(_stored(table, field) for field in table.fields)
    cursor.copy_expert(
        f"COPY (SELECT {columns} FROM {staged(table)} s JOIN {table.name} t ON t.id = s.id"
        " ORDER BY s.place) TO STDOUT",
        block,
    )
    block.flush()
    return digest


class _Block:
    """A file for COPY to write lines into."""

    def __init__(self, digest: Digest) -> None:
        self._digest = digest
        self._lines: list[bytes] = []

    def write(self, line: bytes) -> None:
        """Add one row."""
        self._lines.append(line)
        if len(self._lines) >= BLOCK_ROWS:
            self.flush()

    def flush(self) -> None:
        """Digest the rows that are buffered."""
        if self._lines:
            rows = b"".join(self._lines).decode().removesuffix("\n").split("\n")
            self._digest.add(list(zip(*[row.split("\t") for row in rows], strict=True)))
            self._lines.clear()


def _stored(table: Table, field: Field) -> str:
    """SQL for the column of a row `t` as it was in the file.

    NULL where a default was filled in; the file's value for an orphan's reference, which is stored as NULL.
    """
    column = f"t.{field.column}"
    if field.orphans:
        return f"CASE WHEN s.orphan AND {column} IS NULL THEN s.{field.column} ELSE {column} END"
    return f"CASE WHEN {is_given(table, field)} THEN {column} END" if field.default else column
