"""Keyset pages: where a page ended, as a text that only the same list takes back."""

import binascii
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

import orjson

from nexus.errors import ValidationFailed

Row = TypeVar("Row")
#: Longer than any cursor of ours.
MAX_CURSOR = 256


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
) -> Page[Any]:
    """Read one page of a query ordered by `key`, (time, id) descending; equally fast at any depth.

    `kind` is the id's type. `bound_to` is whatever else decides which rows the list has: a cursor that was
    made with another value is a ValidationFailed, and never a wrong page.
    """
    digest = hashlib.sha256(repr(bound_to).encode()).hexdigest()[:16]
    moment, row_id = key
    if cursor is not None:
        at, last = _decode(cursor, digest, kind)
        # Said twice: the first condition is one that an index on (.., time, id) starts from.
        query = query.where((moment <= at) & ((moment < at) | (row_id < last)))
    rows = list(query.limit(limit + 1))
    if len(rows) <= limit:
        return Page(rows, None)
    end = rows[limit - 1]
    return Page(rows[:limit], _encode(end.created_at, end.id, digest))


def _encode(moment: datetime, row_id: int | UUID, digest: str) -> str:
    text = orjson.dumps([digest, moment.astimezone(UTC).isoformat(), str(row_id)])
    return urlsafe_b64encode(text).rstrip(b"=").decode()


def _decode(cursor: str, digest: str, kind: Callable[[str], Any]) -> tuple[datetime, Any]:
    try:
        if len(cursor) > MAX_CURSOR:
            raise ValueError
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        made_for, moment, row_id = orjson.loads(text)
        at = datetime.fromisoformat(moment)
        if made_for != digest or at.tzinfo is None:
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
