"""Keyset pages: where a page ended, as a text that only the same list takes back."""

import binascii
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

import orjson

from nexus.errors import ValidationFailed

Row = TypeVar("Row")
#: What a list is sorted by, as it stands in a cursor.
Position = datetime | int | str
#: Longer than any cursor of ours: a name of 255 characters takes up to six times as many bytes.
MAX_CURSOR = 2400


class Page(NamedTuple, Generic[Row]):
    """The rows of one page, and the cursor of the next one, None on the last."""

    rows: list[Row]
    next_cursor: str | None


def page(
    query: Any,
    *,
    key: Sequence[Any],
    kind: type[int] | type[UUID],
    limit: int,
    cursor: str | None,
    bound_to: object,
    ascending: bool = False,
    position: Callable[[Any], Position] = attrgetter("created_at"),
    value_kind: type[Position] = datetime,
    compared: Callable[[Position], Any] = lambda at: at,
) -> Page[Any]:
    """Read one page of a query ordered by `key`, (value, id), both one way; equally fast at any depth.

    `kind` is the id's type and `value_kind` the value's; `position` finds the value in a row, and `compared`
    makes of it what SQL compares. `bound_to` is whatever else decides which rows the list has: a cursor that
    was made with another value is a ValidationFailed, and never a wrong page.
    """
    digest = hashlib.sha256(repr(bound_to).encode()).hexdigest()[:16]
    value, row_id = key
    if cursor is not None:
        end_value, last = _decode(cursor, digest, kind, value_kind)
        at = compared(end_value)
        # Said twice: the first condition is one that an index on (.., value, id) starts from.
        if ascending:
            query = query.where((value >= at) & ((value > at) | (row_id > last)))
        else:
            query = query.where((value <= at) & ((value < at) | (row_id < last)))
    rows = list(query.limit(limit + 1))
    if len(rows) <= limit:
        return Page(rows, None)
    end = rows[limit - 1]
    return Page(rows[:limit], _encode(position(end), end.id, digest))


def _encode(at: Position, row_id: int | UUID, digest: str) -> str:
    value = at.astimezone(UTC).isoformat() if isinstance(at, datetime) else at
    text = orjson.dumps([digest, value, str(row_id)])
    return urlsafe_b64encode(text).rstrip(b"=").decode()


def _decode(
    cursor: str, digest: str, kind: Callable[[str], Any], value_kind: type[Position]
) -> tuple[Position, Any]:
    try:
        if len(cursor) > MAX_CURSOR:
            raise ValueError
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        made_for, value, row_id = orjson.loads(text)
        at = _position(value, value_kind)
        if made_for != digest:
            raise ValueError
        last = kind(str(row_id))
        if isinstance(last, int) and not 0 < last < 2**63:
            raise ValueError
        # Python reads a time or an id in more forms than PostgreSQL does, and we write one.
        if _encode(at, last, digest) != cursor:
            raise ValueError
    except (ValueError, TypeError, OverflowError, binascii.Error):
        raise ValidationFailed([{"field": "cursor", "code": "not_a_cursor"}]) from None
    return at, last


def _position(value: Any, value_kind: type[Position]) -> Position:
    if value_kind is datetime:
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError
        return at
    if type(value) is not value_kind or (isinstance(value, int) and not 0 <= value < 2**63):
        raise ValueError
    if isinstance(value, str) and "\0" in value:
        raise ValueError
    return value
