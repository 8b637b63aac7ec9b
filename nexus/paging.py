"""Keyset pagination: the cursor encodes where a page ended, and only the same list accepts it."""

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
#: The type of a sort value in a cursor.
Position = datetime | int | str
Part = Position | UUID
#: Longer than any cursor of ours: a name of 255 characters takes up to six times as many bytes.
MAX_CURSOR = 2400


class Page(NamedTuple, Generic[Row]):
    """The rows of one page, and the cursor for the next one; None on the last page."""

    rows: list[Row]
    next_cursor: str | None


def page(
    query: Any, *, kind: type[int] | type[UUID], limit: int, cursor: str | None, bound_to: object
) -> Page[Any]:
    """Read one page of a query, ordered by (created_at, id), both descending; equally fast at any depth.

    `kind` is the type of the id. `bound_to` is the same as for `pages`.
    """
    key = query.model.created_at, query.model.id

    def read(place: tuple[Any, Any] | None, count: int) -> list[Any]:
        return list((query if place is None else query.where(after(key, place))).limit(count))

    return pages(
        read,
        place=attrgetter("created_at", "id"),
        kinds=(datetime, kind),
        limit=limit,
        cursor=cursor,
        bound_to=bound_to,
    )


def after(key: Sequence[Any], place: Sequence[Any], *, ascending: bool = False) -> Any:
    """The condition for the rows after a place, (value, id), in a list ordered by such columns."""
    (value, row_id), (at, last) = key, place
    # The redundant first condition lets an index on (.., value, id) start at the right row.
    if ascending:
        return (value >= at) & ((value > at) | (row_id > last))
    return (value <= at) & ((value < at) | (row_id < last))


def digest_of(text: str) -> str:
    """What a cursor contains of the description of its list."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def pages(
    read: Callable[[Any, int], list[Row]],
    *,
    place: Callable[[Row], Sequence[Any]],
    kinds: Sequence[type[Part]],
    limit: int,
    cursor: str | None,
    bound_to: object,
    digest: Callable[[str], str] = digest_of,
) -> Page[Row]:
    """Read one page through `read`, which returns that many rows after a place, or the first ones for None.

    `place` gives the place of a row, as values of the types `kinds`. `bound_to` is everything else that
    determines the rows of the list: a cursor made with another value raises ValidationFailed. `digest` is
    `digest_of`, which may be cached.
    """
    binding = digest(repr(bound_to))
    rows = read(None if cursor is None else _decode(cursor, binding, kinds), limit + 1)
    if len(rows) <= limit:
        return Page(rows, None)
    return Page(rows[:limit], _encode(binding, place(rows[limit - 1])))


def _encode(digest: str, place: Sequence[Any]) -> str:
    utc = [part.astimezone(UTC) if isinstance(part, datetime) else part for part in place]
    return urlsafe_b64encode(orjson.dumps([digest, *utc])).rstrip(b"=").decode()


def _decode(cursor: str, digest: str, kinds: Sequence[type[Part]]) -> tuple[Any, ...]:
    try:
        if len(cursor) > MAX_CURSOR:
            raise ValueError
        _, *parts = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        place = tuple(_read(part, kind) for part, kind in zip(parts, kinds, strict=True))
        # Must be exactly what this list would write: its own digest, and only one spelling of each value.
        if _encode(digest, place) != cursor:
            raise ValueError
    except (ValueError, TypeError, OverflowError, binascii.Error):
        raise ValidationFailed([{"field": "cursor", "code": "not_a_cursor"}]) from None
    return place


def _read(part: Any, kind: type[Part]) -> Any:
    if kind is UUID:
        return UUID(str(part))
    if kind is datetime:
        at = datetime.fromisoformat(part)
        if at.tzinfo is None:
            raise ValueError
        return at
    if type(part) is not kind or (isinstance(part, int) and not -(2**63) <= part < 2**63):
        raise ValueError
    if isinstance(part, str) and "\0" in part:
        raise ValueError
    return part
