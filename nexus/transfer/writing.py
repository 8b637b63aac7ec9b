"""Inserting the staged rows of a file into the tables, and advancing the sequences past their ids."""

from collections.abc import Callable
from typing import Any

from nexus.transfer.staging import Staging, is_given, staged, wanted
from nexus.transfer.tables import ORDER_EVENTS, ORDERS, TABLES, Field, Kind, Table

#: Called with the number of bytes of the file that have been processed since the last call.
Advance = Callable[[int], None]

#: Bytes of the file whose rows one INSERT writes; it is split only so that progress can be shown.
PART = 16 * 2**20

#: Ids from here on are not from a sequence: JavaScript, which generated old ids, cannot represent them.
COUNTED = 2**53
#: The references that may point to rows that never existed.
ORPHANS = [(table, field) for table in TABLES for field in table.fields if field.orphans]

#: Keeps the trigger from writing order events: those in the file are inserted unchanged.
SILENCE = "SET LOCAL nexus.import = 'on'"
#: An order without events in the file, as in old data, gets one for its import.
ARRIVALS = f"""
INSERT INTO {ORDER_EVENTS.name} (order_id, at, "to", actor)
SELECT o.id, s.created_at, s.status, 'import' FROM {staged(ORDERS)} s JOIN {ORDERS.name} o ON o.id = s.id
WHERE NOT s.there AND NOT EXISTS (SELECT FROM {staged(ORDER_EVENTS)} e WHERE e.order_id = s.id)
ORDER BY s.place
"""


def lock(cursor: Any) -> None:
    """Block other writers until the transaction ends, but not readers."""
    names = ", ".join(table.name for table in TABLES)
    cursor.execute(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")


def write(staging: Staging, *, currency: str, size: int, advance: Advance) -> dict[str, int]:
    """Insert the missing rows, and return their number by table. `size` is the file's, in bytes."""
    written = dict.fromkeys((table.name for table in TABLES), 0)
    staging.cursor.execute(SILENCE)
    for table in TABLES:
        insert = _insert(table)
        for start in range(0, size, PART) if staging.read[table.name] > staging.there[table.name] else ():
            values = {"currency": currency, "start": start, "end": start + PART}
            staging.cursor.execute(insert, values)
            written[table.name] += staging.cursor.rowcount
            if staging.cursor.rowcount:
                advance(min(PART, size - start))
        if table.id.kind is Kind.ID:
            _move_sequence(staging.cursor, table)
    staging.cursor.execute(ARRIVALS)
    return written


def _insert(table: Table) -> str:
    values = ", ".join(_value(table, field) for field in table.fields)
    product = ""
    if any(field.orphans for field in table.fields):
        product = " LEFT JOIN products p ON p.id = s.product_id"
    return (
        f"INSERT INTO {table.name} ({', '.join(table.columns)})"
        f" SELECT {values} FROM {staged(table)} s{product}"
        " WHERE NOT s.there AND s.place >= %(start)s AND s.place < %(end)s"
    )


def _value(table: Table, field: Field) -> str:
    if field.default is None:
        return wanted(field)
    return f"CASE WHEN {is_given(table, field)} THEN s.{field.column} ELSE {field.default} END"


def _move_sequence(cursor: Any, table: Table) -> None:
    """Advance the sequence past the last id, in a way that a rollback undoes.

    Ids of rows that never existed count too, so that no new row gets an id that old ones refer to. Ids from
    COUNTED on, which are not from a sequence, do not: there is no id after the largest bigint.
    """
    named = [(table, table.id), *((one, field) for one, field in ORPHANS if field.references == table.name)]
    ids = " UNION ALL ".join(f"SELECT {field.column} AS id FROM {staged(one)}" for one, field in named)
    cursor.execute(
        f"SELECT pg_get_serial_sequence('{table.name}', 'id'), max(id) FROM ({ids}) found"
        f" WHERE id < {COUNTED}"
    )
    sequence, last = cursor.fetchone()
    cursor.execute(f"SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM {sequence}")
    if last is not None and cursor.fetchone()[0] < last:
        cursor.execute(f"ALTER SEQUENCE {sequence} RESTART WITH {last}; SELECT nextval('{sequence}')")
