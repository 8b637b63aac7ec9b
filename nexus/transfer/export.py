"""Export of the shop as JSON, in a consistent snapshot."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr
from io import StringIO
from typing import Any, BinaryIO, NamedTuple

import psycopg2
from psycopg2.errors import UndefinedColumn, UndefinedTable

from nexus.config import Settings
from nexus.db.connection import connect
from nexus.db.outages import OUTAGES, reason, sqlstate
from nexus.errors import DatabaseUnavailable
from nexus.transfer.problems import TransferError, outdated
from nexus.transfer.tables import FORMAT, TABLES, VERSION, Kind, Table


class Layout(NamedTuple):
    """The text around the rows; TABLE stands for the name of the table, COUNT for the number of all rows."""

    head: str
    opening: str
    row: str
    row_end: str
    between: str
    closing: str
    foot: str


HEAD = f'{{"format":"{FORMAT}","version":{VERSION}'
#: The formats by name, which is also the suffix of their files.
LAYOUTS = {
    "json": Layout(HEAD, ',"TABLE":[', "", "", ",\n", "\n]", "}\n"),
    "ndjson": Layout(HEAD + "}", "", '{"table":"TABLE","row":', "}", "\n", "", '\n{"rows":COUNT}\n'),
}

#: How PostgreSQL writes a value as JSON, by the column's type. It builds whole rows faster than Python could
#: convert them, and nothing here depends on a locale or on a session's settings.
AS_JSON = {
    "bigint": "{}::text",
    "text": "to_json({})::text",
    "uuid": "to_json({})::text",
    "timestamptz": r"""to_char({} AT TIME ZONE 'UTC', '\"YYYY-MM-DD"T"HH24:MI:SS.US"Z"\"')""",
}
#: RFC 3339 has four digits for the year, and no infinity.
OUT_OF_TIME = "NOT ({0} >= '0001-01-01 00:00:00Z' AND {0} < '10000-01-01 00:00:00Z')"
#: JSON never contains these characters, so COPY neither quotes nor escapes anything.
PLAIN = "FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01', ENCODING 'UTF8'"


@contextmanager
def snapshot(settings: Settings) -> Iterator["Snapshot"]:
    """A snapshot of the database, while others can write; TransferError or DatabaseUnavailable."""
    try:
        with closing(connect(settings.direct, wait=settings.pool_wait)) as connection:
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True, autocommit=False)
            yield Snapshot(connection)
    except (UndefinedTable, UndefinedColumn) as error:
        raise outdated(error) from error
    except (*OUTAGES, psycopg2.Error) as error:
        # An error without an SQLSTATE does not come from the server: the connection is lost.
        if sqlstate(error) is None:
            raise DatabaseUnavailable(reason(error)) from error
        raise TransferError(reason(error)) from error


class Snapshot:
    """All tables in one transaction; rows are streamed one by one."""

    def __init__(self, connection: Any) -> None:
        """Take a connection whose first statement begins a transaction."""
        self._cursor = connection.cursor()
        # The role's timeout is meant for requests. With row_security off, a policy that would hide rows, and
        # so make the copy incomplete, becomes an error.
        self._cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL row_security = off")
        #: Rows by table.
        self.sizes = {table.name: self._size(table) for table in TABLES}

    def _size(self, table: Table) -> int:
        times = [field.column for field in table.fields if field.kind is Kind.TIME]
        wrong = " OR ".join(OUT_OF_TIME.format(time) for time in times)
        self._cursor.execute(
            f"SELECT count(*), min({table.id.column}::text) FILTER (WHERE {wrong}) FROM {table.name}"
        )
        size, id_ = self._cursor.fetchone()
        if id_ is not None:
            raise TransferError(f"{table.name} {id_}: a time outside the years 1 to 9999 cannot be exported")
        return int(size)

    def write(self, file: BinaryIO, *, form: str, seen: Callable[[int], None]) -> None:
        """Write every row on a line of its own, in UTF-8; `seen` is called for each.

        Equal rows give equal bytes: the fields have a fixed order, and rows are ordered by id.
        """
        layout = LAYOUTS[form]
        file.write(layout.head.encode())
        for table in TABLES:
            file.write(layout.opening.replace("TABLE", table.name).encode())
            lines = _Lines(file, between=layout.between.encode(), seen=seen)
            # If the connection is lost here, psycopg2 prints an error in addition to raising it.
            with redirect_stderr(StringIO()):
                self._cursor.copy_expert(_copy(table, layout), lines)
            file.write(layout.closing.encode())
        file.write(layout.foot.replace("COUNT", str(sum(self.sizes.values()))).encode())


class _Lines:
    """The file for COPY to write rows into; it replaces the line ends with the separators of the format."""

    def __init__(self, file: BinaryIO, *, between: bytes, seen: Callable[[int], None]) -> None:
        self._file = file
        self._before = b"\n"
        self._between = between
        self._seen = seen

    def write(self, line: bytes) -> None:
        """Write one row."""
        self._file.write(self._before)
        self._file.write(line[:-1])
        self._before = self._between
        self._seen(1)


def _copy(table: Table, layout: Layout) -> str:
    """The statement that writes a table's rows as JSON."""
    fields = [
        f"'\"{field.wire}\":' || coalesce({AS_JSON[field.kind.type].format(field.column)}, 'null')"
        for field in table.fields
    ]
    row = " || ',' || ".join(fields)
    start = layout.row.replace("TABLE", table.name)
    rows = f"SELECT '{start}{{' || {row} || '}}{layout.row_end}' FROM {table.name} ORDER BY {table.id.column}"
    return f"COPY ({rows}) TO STDOUT ({PLAIN})"
