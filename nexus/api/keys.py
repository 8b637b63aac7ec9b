"""The `Idempotency-Key` of a request, tied to its account and its body."""

import hashlib
from typing import Any

import orjson
from flask import Request

from nexus.errors import ValidationFailed
from nexus.models.idempotency import Key
from nexus.models.users import User

NAME = "Idempotency-Key"
LONGEST = 255
#: A key without an account must be too long to guess: whoever repeats it gets the order and its receipt.
ANONYMOUS_SHORTEST = 32
#: Copied for each digest, since OpenSSL would look the algorithm up for each new one.
EMPTY = hashlib.sha256()


def request_key(request: Request, document: dict[str, Any], user: User | None) -> Key | None:
    """The key of a request with this body by this account, or None; ValidationFailed for a malformed one.

    Bodies are compared as JSON values, so whitespace and the order of fields do not matter.
    """
    given = request.environ.get("HTTP_IDEMPOTENCY_KEY")
    if given is None:
        return None
    # A repeated header arrives joined by commas (RFC 9110), and it would be unclear which key is meant.
    if "," in given:
        raise ValidationFailed([{"field": NAME, "code": "repeated"}])
    # WSGI decodes headers as Latin-1.
    raw = given.encode("latin-1")
    length = len(raw.decode("utf-8", "replace"))
    shortest = 1 if user else ANONYMOUS_SHORTEST
    if length < shortest:
        raise ValidationFailed([{"field": NAME, "code": "too_short", "limit": shortest}])
    if length > LONGEST:
        raise ValidationFailed([{"field": NAME, "code": "too_long", "limit": LONGEST}])
    # With the owner first, keys of different accounts, or of none, never collide.
    owner = str(user.id) if user else ""
    return Key(
        hash=_digest(owner.encode() + b"\0" + raw),
        body=_digest(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)),
    )


def _digest(value: bytes) -> str:
    digest = EMPTY.copy()
    digest.update(value)
    return digest.hexdigest()
