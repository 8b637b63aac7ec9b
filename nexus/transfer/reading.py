"""Reading the structure of a file: its tables, its rows, and the position of each."""

import json
import mmap
import re
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nexus.transfer.tables import FORMAT, TABLES, VERSION, Table

#: No row is longer. If the end of a row is not found within this, a quotation mark is missing.
ROW_BYTES = 16 * 2**20
BATCH_ROWS = 5000
BATCH_BYTES = 2**20

SPACE = rb"[ \t\r\n]*+"
STRING = rb'"[^"\\]*+(?:\\[\x00-\xff][^"\\]*+)*+"'
KEY = rb"(?P<key>" + STRING + rb"|-?[0-9]+|null|true|false)"
#: An object without nested ones, as all valid rows are.
FLAT = rb'(?P<row>\{[^{}\[\]"]*+(?:' + STRING + rb'[^{}\[\]"]*+)*+\})'

OPEN = re.compile(SPACE + rb"\{" + SPACE)
CLOSE = re.compile(rb"\}")
LINE = re.compile(rb"[^\n]*+\n?")
NAME = re.compile(SPACE + rb"(" + STRING + rb")" + SPACE + rb":" + SPACE)
SCALAR = re.compile(STRING + rb"|[0-9]+")
NEXT = re.compile(SPACE + rb"([,}])")
END = re.compile(SPACE + rb"\Z")
EMPTY = re.compile(rb"\[" + SPACE + rb"\]|\{" + SPACE + rb"\}")
FIRST_ENTRY = re.compile(rb"\[" + SPACE + rb"\[")
ID = re.compile(rb'"id"\s*:\s*("[^"\\]*"|[0-9]+)')
MARK = b"\xef\xbb\xbf"


#: NDJSON has no closing bracket, so its last line gives the number of rows.
LAST = re.compile(rb'\{[ \t]*"rows"[ \t]*:[ \t]*([0-9]{1,18})[ \t]*\}[ \t\r]*(?:\n|\Z)')


class Broken(Exception):
    """The file cannot be read beyond this position."""

    def __init__(self, place: int, reason: str, *, table: Table | None = None, identity: Any = None) -> None:
        """Take the byte offset, the reason, and the row's table and id as far as they are known."""
        super().__init__(reason)
        self.place = place
        self.table = table
        self.identity = identity


class Row(NamedTuple):
    """One row as JSON, the offset of its first byte, and its key as JSON, which is empty outside a map."""

    table: Table
    place: int
    text: bytes
    key: bytes


@dataclass
class Batch:
    """Some rows of one table, as JSON, each with the offset of its first byte."""

    table: Table
    places: list[int] = field(default_factory=list)
    rows: list[bytes] = field(default_factory=list)
    #: The keys of the rows in their map, as JSON; empty if it was not a map.
    keys: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, row: Row) -> None:
        """Add a row."""
        self.places.append(row.place)
        self.rows.append(row.text)
        self.size += len(row.text)
        if row.key:
            self.keys.append(row.key)

    @property
    def full(self) -> bool:
        """Whether it has reached its limit of rows or bytes."""
        return len(self.rows) >= BATCH_ROWS or self.size >= BATCH_BYTES


class Shape:
    """One way to write a table: what comes before and after each row."""

    def __init__(self, before: bytes, after: bytes) -> None:
        """Take the patterns; `after` has a group for what separates rows or ends the table."""
        self.before = re.compile(SPACE + before)
        self.after = re.compile(SPACE + after)
        self.element = re.compile(SPACE + before + FLAT + SPACE + after)


ROWS = Shape(rb"", rb"(?P<end>[,\]])")
ENTRIES = Shape(rb"\[" + SPACE + KEY + SPACE + rb"," + SPACE, rb"\]" + SPACE + rb"(?P<end>[,\]])")
OBJECTS = Shape(rb"(?P<key>" + STRING + rb")" + SPACE + rb":" + SPACE, rb"(?P<end>[,}])")
LINES = Shape(
    rb'\{[ \t]*"table"[ \t]*:[ \t]*"(?P<key>[^"\\\n]*)"[ \t]*,[ \t]*"row"[ \t]*:[ \t]*',
    rb"\}[ \t\r]*(?P<end>\n|\Z)",
)


class File:
    """A file of rows, mapped into memory; the memory of what has been read is released."""

    def __init__(self, data: mmap.mmap, *, lines: bool) -> None:
        """Take the mapped file, and whether each of its lines is a separate JSON object."""
        self.data = data
        self.lines = lines
        self.size = len(data)

    def batches(self) -> Iterator[Batch]:
        """Every row of the file, in its order; Broken if it cannot be read further."""
        start = len(MARK) if self.data[: len(MARK)] == MARK else 0
        batch = Batch(TABLES[0])
        try:
            for row in self._of_lines(start) if self.lines else self._of_object(start):
                if row.table is not batch.table or batch.full:
                    if batch.rows:
                        yield batch
                        self.forget()
                    batch = Batch(row.table)
                batch.add(row)
        except Broken:
            # The rows before it are still checked.
            if batch.rows:
                yield batch
            raise
        if batch.rows:
            yield batch

    def row(self, place: int) -> Any:
        """The value at an offset, read leniently; Broken if it is not JSON."""
        return self._value(place)[0]

    def forget(self) -> None:
        """Release the memory of what was read; the system reads it again if needed."""
        self.data.madvise(mmap.MADV_DONTNEED)

    def _of_object(self, start: int) -> Iterator[Row]:
        opened = OPEN.match(self.data, start)
        if opened is None:
            raise Broken(start, "the file is not a JSON object")
        position, separator = opened.end(), b","
        seen: set[str] = set()
        if closed := CLOSE.match(self.data, position):
            position, separator = closed.end(), b"}"
        while separator == b",":
            found = NAME.match(self.data, position, self._bound(position))
            if found is None:
                raise Broken(position, self._instead("the name of a table"))
            name = scalar(found[1])
            if str(name) in seen:
                raise Broken(found.start(1), f"{name!r} appears a second time")
            seen.add(str(name))
            if name in ("format", "version"):
                position = self._metadata(name, found.end())
            else:
                position = yield from self._of_table(_named(name, found.start(1)), found.end())
            following = NEXT.match(self.data, position)
            if following is None:
                raise Broken(position, self._instead("a comma or the end of the object"))
            position, separator = following.end(), following[1]
        if END.match(self.data, position) is None:
            raise Broken(position, "something follows the end of the object")

    def _metadata(self, name: str, position: int) -> int:
        """Check the format or version of the file; return the position after it."""
        found = SCALAR.match(self.data, position, self._bound(position))
        value = scalar(found[0]) if found else None
        if found is None or value != {"format": FORMAT, "version": VERSION}[name]:
            raise Broken(position, f"the {name} is not {FORMAT!r}, {VERSION}: another program wrote this")
        return found.end()

    def _of_table(self, table: Table, position: int) -> Generator[Row, None, int]:
        """The rows of one table, and finally the position after it."""
        if empty := EMPTY.match(self.data, position):
            return empty.end()
        opening = self.data[position : position + 1]
        if opening not in (b"[", b"{"):
            raise Broken(position, self._instead("a list or a map of rows"), table=table)
        shape = OBJECTS if opening == b"{" else ROWS
        if FIRST_ENTRY.match(self.data, position):
            shape = ENTRIES
        position += 1
        end = b","
        while end == b",":
            place, text, key, position, end = self._element(shape, position, table)
            yield Row(table, place, text, key)
        return position

    def _of_lines(self, start: int) -> Iterator[Row]:
        header = LINE.match(self.data, start, self._bound(start))
        if header is None or scalar(header[0]) != {"format": FORMAT, "version": VERSION}:
            raise Broken(start, f'the first line is not {{"format": "{FORMAT}", "version": {VERSION}}}')
        position, rows, table = header.end(), 0, None
        while (last := LAST.match(self.data, position)) is None:
            if END.match(self.data, position):
                raise Broken(position, 'the file ends too early: its last line, {"rows": N}, is missing')
            before = position
            place, text, key, position, _ = self._element(LINES, position, table)
            table = _named(key.decode(errors="replace"), before)
            rows += 1
            yield Row(table, place, text, b"")
        if END.match(self.data, last.end()) is None:
            raise Broken(last.end(), "something follows the line that counts the rows")
        if int(last[1]) != rows:
            raise Broken(
                position, f"{int(last[1])} rows were written, but the file has {rows}: some are missing"
            )

    def _element(
        self, shape: Shape, position: int, table: Table | None
    ) -> tuple[int, bytes, bytes, int, bytes]:
        """The row at a position: place, text, key as in `Row`; the position after it; what ended it."""
        found = shape.element.match(self.data, position, self._bound(position))
        if found is not None:
            key = found["key"] if shape is not ROWS else b""
            return found.start("row"), found["row"], key, found.end(), found["end"]
        before = shape.before.match(self.data, position, self._bound(position))
        if before is None:
            raise Broken(position, self._instead("another row"), table=table)
        place = before.end()
        _, end = self._value(place, table)
        after = shape.after.match(self.data, end)
        if after is None:
            raise self._cut(end, table, place)
        key = before["key"] if shape is not ROWS else b""
        return place, self.data[place:end], key, after.end(), after["end"]

    def _value(self, place: int, table: Table | None = None) -> tuple[Any, int]:
        """Any JSON value at an offset, and the position after it."""
        for window in (2**16, 2**20, ROW_BYTES):
            text = self.data[place : place + window].decode(errors="surrogateescape")
            try:
                value, length = json.JSONDecoder().raw_decode(text)
            except (ValueError, RecursionError) as error:
                # An error near the end of the window may only be due to its end.
                reached = getattr(error, "pos", 0) if "Unterminated" not in str(error) else len(text)
                if place + window >= self.size or reached < len(text) - 16:
                    failed, reason = reached, str(error).partition(":")[0]
                    break
            else:
                return value, place + len(text[:length].encode(errors="surrogateescape"))
        else:
            raise Broken(place, "no end of this row within 16 MiB: a quotation mark is missing", table=table)
        raise self._cut(place + len(text[:failed].encode(errors="surrogateescape")), table, place, reason)

    def _cut(self, position: int, table: Table | None, place: int, reason: str = "") -> Broken:
        """The error for a row that begins at `place` and cannot be read from `position` on."""
        known = ID.search(self.data, place, max(place, min(position, self._bound(place))))
        identity = scalar(known[1]) if known else None
        if END.match(self.data, position):
            return Broken(position, "the file ends in the middle of a row", table=table, identity=identity)
        text = f"not JSON: {reason}" if reason else "not JSON: neither a comma nor the end follows the row"
        return Broken(position, text, table=table, identity=identity)

    def _instead(self, wanted: str) -> str:
        return f"not JSON, or the file ends too early: expected {wanted}"

    def _bound(self, position: int) -> int:
        return min(self.size, position + ROW_BYTES)


def scalar(text: bytes) -> Any:
    """The value of a piece of JSON, or the text itself if it is not JSON."""
    plain = text.decode(errors="replace")
    try:
        return json.loads(plain, strict=False)
    except ValueError:
        return plain


def repeated(text: str) -> list[str]:
    """The names that appear more than once in an object of a JSON text."""
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        times = Counter(name for name, _ in pairs)
        found.extend(name for name in times if times[name] > 1)

    # What is nested too deeply for this is invalid for every field, and reported as such.
    with suppress(RecursionError):
        json.loads(text, object_pairs_hook=look)
    return found


def _named(name: str, place: int) -> Table:
    for table in TABLES:
        if table.name == name:
            return table
    raise Broken(place, f"{name!r} is not a table: there are {', '.join(table.name for table in TABLES)}")
