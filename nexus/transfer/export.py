"""Everything in the shop as JSON, all of it as it was at one moment."""

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
    """The text around the rows; TABLE is replaced by the table's name, COUNT by the number of all rows."""

    head: str
    opening: str
    row: str
    row_end: str
    between: str
    closing: str
    foot: str


HEAD = f'{{"format":"{FORMAT}","version":{VERSION}'
#: The formats by name, which is the suffix of their files as well.
LAYOUTS = {
    "json": Layout(HEAD, ',"TABLE":[', "", "", ",\n", "\n]", "}\n"),
    "ndjson": Layout(HEAD + "}", "", '{"table":"TABLE","row":', "}", "\n", "", '\n{"rows":COUNT}\n'),
}

#: How PostgreSQL writes a value as JSON, by the column's type. It makes whole rows faster than Python could
#: take them apart, and none of this depends on a locale or on a session's settings.
AS_JSON = {
    "bigint": "{}::text",
    "text": "to_json({})::text",
    "uuid": "to_json({})::text",
    "timestamptz": r"""to_char({} AT TIME ZONE 'UTC', '\"YYYY-MM-DD"T"HH24:MI:SS.US"Z"\"')""",
}
#: RFC 3339 has four digits for the year, and no word for infinity.
OUT_OF_TIME = "NOT ({0} >= '0001-01-01 00:00:00Z' AND {0} < '10000-01-01 00:00:00Z')"
#: With these, which JSON text never contains, CSV is the text itself: nothing is quoted or escaped.
PLAIN = "FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01', ENCODING 'UTF8'"


@contextmanager
def snapshot(settings: Settings) -> Iterator["Snapshot"]:
    """The database of this moment, while others go on writing; TransferError or DatabaseUnavailable."""
    try:
        with closing(connect(settings.direct, wait=settings.pool_wait)) as connection:
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True, autocommit=False)
            yield Snapshot(connection)
    except (UndefinedTable, UndefinedColumn) as error:
        raise outdated(error) from error
    except (*OUTAGES, psycopg2.Error) as error:
        # An error without an SQLSTATE is not the server's: the connection to it has ended.
        if sqlstate(error) is None:
            raise DatabaseUnavailable(reason(error)) from error
        raise TransferError(reason(error)) from error


class Snapshot:
    """All tables in one transaction; rows pass through one by one, however many there are."""

    def __init__(self, connection: Any) -> None:
        """Take a connection that begins a transaction with its first statement."""
        self._cursor = connection.cursor()
        # The role's timeout is meant for requests; row_security off turns a policy that would hide rows
        # into an error, where the copy would be incomplete.
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
            raise TransferError(f"{table.name} {id_}: a time outside the years 1 to 9999 has no form in JSON")
        return int(size)

    def write(self, file: BinaryIO, *, form: str, seen: Callable[[int], None]) -> None:
        """Write every row on a line of its own, in UTF-8, and tell `seen` of each.

        The bytes follow from the rows: fields have their order, and rows that of their ids.
        """
        layout = LAYOUTS[form]
        file.write(layout.head.encode())
        for table in TABLES:
            file.write(layout.opening.replace("TABLE", table.name).encode())
            lines = _Lines(file, between=layout.between.encode(), seen=seen)
            # When the server goes away here, psycopg2 prints an error beside the one that it raises.
            with redirect_stderr(StringIO()):
                self._cursor.copy_expert(_copy(table, layout), lines)
            file.write(layout.closing.encode())
        file.write(layout.foot.replace("COUNT", str(sum(self.sizes.values()))).encode())


class _Lines:
    """What COPY writes rows into, each with its end of line; it sets between them what the format wants."""

    def __init__(self, file: BinaryIO, *, between: bytes, seen: Callable[[int], None]) -> None:
        self._file = file
        self._before = b"\n"
        self._between = between
        self._seen = seen

    def write(self, line: bytes) -> None:
        """Take one row."""
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
