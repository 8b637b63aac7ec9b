"""The `Idempotency-Key` of a request: which it is, whose, and of what body."""

import hashlib
from typing import Any

import orjson
from flask import Request

from nexus.errors import ValidationFailed
from nexus.models.idempotency import Key
from nexus.models.users import User

NAME = "Idempotency-Key"
LONGEST = 255
#: A key that belongs to no account must be long enough that nobody guesses it and reads the answer.
SHORTEST_OF_NOBODY = 32


def request_key(request: Request, document: dict[str, Any], user: User | None) -> Key | None:
    """The key of a request with this body by this account, or None; ValidationFailed for a malformed one.

    The body counts as the JSON value that it is, so the order of its fields and its spaces do not matter.
    """
    given = request.headers.get(NAME)
    if given is None:
        return None
    # As HTTP joins what was given more than once; each would be another key.
    if "," in given:
        raise ValidationFailed([{"field": NAME, "code": "repeated"}])
    # WSGI shows each byte as a character.
    raw = given.encode("latin-1")
    length = len(raw.decode("utf-8", "replace"))
    shortest = 1 if user else SHORTEST_OF_NOBODY
    if length < shortest:
        raise ValidationFailed([{"field": NAME, "code": "too_short", "limit": shortest}])
    if length > LONGEST:
        raise ValidationFailed([{"field": NAME, "code": "too_long", "limit": LONGEST}])
    # No key of an account begins as those of nobody do.
    owner = str(user.id) if user else ""
    return Key(
        hash=_digest(owner.encode() + b"\0" + raw),
        body=_digest(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)),
    )


def _digest(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()
