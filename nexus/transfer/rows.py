"""Validation of rows: for each kind of field, the accepted values and their text format in COPY."""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha1
from uuid import UUID

from nexus.models.orders import CANONICAL
from nexus.transfer.tables import TABLES, Field, Kind

Rule = Callable[[object], str]

NULL = r"\N"
#: The largest signed 64-bit integer.
MAX = 2**63 - 1
#: Nobody can sign in with a longer e-mail address; an index allows about twice as much.
KEY_BYTES = 1024

#: The namespace in which ids of old orders become UUIDs of version 5. It must never change.
OLD_ORDERS = UUID("8e0f7a52-4c4b-5d0e-9a36-2f1c7b9d6e01")

#: Characters that COPY escapes, and those that no text may contain.
SPECIAL = re.compile(r"[\x00\x08-\x0d\\\ud800-\udfff]")
ESCAPES = str.maketrans(
    {"\b": r"\b", "\t": r"\t", "\n": r"\n", "\v": r"\v", "\f": r"\f", "\r": r"\r", "\\": r"\\"}
)
CURRENCY = re.compile("[A-Z]{3}")
#: PostgreSQL stores microseconds, so finer digits would be lost.
TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6}0*)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
#: Cost 14 takes a second, which each further step doubles.
#: The last characters of salt and hash have unused bits; if these are set, no password matches.
BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|1[0-4])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.CGKOSWaeimquy26]")
ARGON2 = re.compile(
    r"\$argon2(?:id|i|d)\$v=19\$m=([1-9]\d{0,8}),t=([1-9]\d{0,8}),p=([1-9]\d{0,8})"
    r"\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{16,171})"
)
#: The maximum cost of an argon2 hash: KiB of memory, passes over it, lanes.
MEMORY, PASSES, LANES = 2**18, 16, 16


class Refused(Exception):
    """A value that is invalid for its field; the text says why, and never contains the value."""


def rule(field: Field) -> Rule:
    """The function that converts a field's JSON value to the text format of COPY, or raises Refused."""
    return READ[field]


def old_id(identity: object, given: object) -> object:
    """The old id of an order: the given one, or its id if that is not a UUID."""
    if not isinstance(identity, str) or CANONICAL.fullmatch(identity):
        return given
    if given not in (None, identity):
        raise Refused("differs from the id, although the id is not a UUID")
    return identity


def _rule(field: Field) -> Rule:
    known = KINDS[field.kind]
    if field.choices:
        choices = frozenset(field.choices)

        def known(value: object) -> str:
            if type(value) is str and value in choices:
                return value
            raise Refused(f"is not one of {', '.join(field.choices)}")

    if not field.nullable:
        return known
    return lambda value: NULL if value is None else known(value)


def _id(value: object) -> str:
    if type(value) is int and 0 < value <= MAX:
        return str(value)
    raise _no_number(value, "from 1 on, in 64 bits")


def _money(value: object) -> str:
    if type(value) is int and 0 <= value <= MAX:
        return str(value)
    if type(value) is int and value < 0:
        raise Refused("is negative")
    raise _no_number(value, "in 64 bits")


def _no_number(value: object, bounds: str) -> Refused:
    return Refused(f"is not a whole number {bounds}" if type(value) is int else "is not a whole number")


def _text(value: object) -> str:
    if type(value) is not str:
        raise Refused("is null" if value is None else "is not text")
    if (found := SPECIAL.search(value)) is None:
        return value
    while found:
        if found[0] == "\0":
            raise Refused("contains NUL, which PostgreSQL cannot store")
        if found[0] >= "\ud800":
            raise Refused("is not Unicode: it contains half a surrogate pair, or bytes that are not UTF-8")
        found = SPECIAL.search(value, found.end())
    return value.translate(ESCAPES)


def _key(value: object) -> str:
    text = _text(value)
    # A character takes at most four bytes.
    if len(text) * 4 > KEY_BYTES and len(text.encode()) > KEY_BYTES:
        raise Refused(f"is longer than {KEY_BYTES} bytes")
    return text


def _hash(value: object) -> str:
    if type(value) is str:
        if BCRYPT.fullmatch(value):
            return value
        if found := ARGON2.fullmatch(value):
            memory, passes, lanes = map(int, found.groups()[:3])
            if passes > PASSES or lanes > LANES or not 8 * lanes <= memory <= MEMORY:
                raise Refused("is an argon2 hash whose costs are out of bounds")
            if all(map(_is_base64, found.groups()[3:])):
                return value
    raise Refused("is not a bcrypt (up to cost 14) or argon2 hash")


def _is_base64(text: str) -> bool:
    """Whether argon2 accepts it: it has a possible length, and no unused bits are set."""
    padded = text + "=" * (-len(text) % 4)
    return len(text) % 4 != 1 and b64encode(b64decode(padded)).decode() == padded


def _currency(value: object) -> str:
    if type(value) is str and CURRENCY.fullmatch(value):
        return value
    raise Refused("is not a currency code of three capital letters")


def _time(value: object) -> str:
    """The time as PostgreSQL prints it in UTC, so that both can be compared as text."""
    if type(value) is str and TIME.fullmatch(value):
        try:
            text = datetime.fromisoformat(value.upper()).astimezone(UTC).isoformat(" ")[:-6]
        except (ValueError, OverflowError):
            raise Refused("is not a valid time") from None
        return (text.rstrip("0") if "." in text else text) + "+00"
    raise Refused("is not a time to the microsecond with its zone, such as 2026-01-31T09:12:33.123Z")


def _order_id(value: object) -> str:
    if type(value) is str and CANONICAL.fullmatch(value):
        return value.lower()
    if not _key(value):
        raise Refused("is empty")
    # The same as uuid.uuid5, in half the time.
    digest = bytearray(sha1(OLD_ORDERS.bytes + str(value).encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


KINDS: dict[Kind, Rule] = {
    Kind.ID: _id,
    Kind.ORDER_ID: _order_id,
    Kind.MONEY: _money,
    Kind.TEXT: _text,
    Kind.KEY: _key,
    Kind.HASH: _hash,
    Kind.CURRENCY: _currency,
    Kind.TIME: _time,
}

READ: dict[Field, Rule] = {field: _rule(field) for table in TABLES for field in table.fields}
