"""Every header that we read or send, what it says and what it looks like."""

from typing import Any

from nexus.api.keys import LONGEST
from nexus.security.tokens import REFRESH_COOKIE

TEXT = {"type": "string"}
REQUEST_ID = {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"}
TRACEPARENT = {"type": "string", "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"}

#: What requests carry: where, what it says, its schema, an example.
TAKEN: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "X-Request-Id": (
        "header",
        "A number of your own for the request, by which the log knows it.",
        TEXT,
        "checkout-7f3a",
    ),
    "traceparent": (
        "header",
        "The trace that the request belongs to (W3C Trace Context), for the log.",
        TEXT,
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ),
    "Accept-Language": ("header", "The language of what errors say: `en` or `ru`.", TEXT, "ru"),
    "If-None-Match": (
        "header",
        "The `ETag` of what you have: if it is still that, the answer is 304.",
        TEXT,
        '"1-1769850753123000"',
    ),
    "If-Match": (
        "header",
        "The `ETag` of what you read: only that version is changed.",
        TEXT,
        '"1-1769850753123000"',
    ),
    "Idempotency-Key": (
        "header",
        "A new text for each order meant; sent again, there is one. Without an account, 32 characters.",
        {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "^[^,]*$"},
        "c0ffee5e-7c53-4f3e-9f0b-1d2c3b4a5f60",
    ),
    REFRESH_COOKIE: (
        "cookie",
        "The refresh token of a browser, where the body has none.",
        TEXT,
        "pXr0bQ4n8sYw2mK6tVc1zA",
    ),
}

#: What answers carry: what it says, its schema.
SENT: dict[str, tuple[str, dict[str, Any]]] = {
    "X-Request-Id": ("By which the log knows the request.", REQUEST_ID),
    "traceparent": ("The one of the request, where it sent one that is well formed.", TRACEPARENT),
    "Location": ("Where the new thing is.", TEXT),
    "Link": ('Where the next page is, with `rel="next"`; not on the last.', TEXT),
    "Set-Cookie": ("The tokens for a browser, or their end.", TEXT),
    "ETag": ("The version that the answer shows.", TEXT),
    "Idempotent-Replayed": ("The answer is that of the first request with this key.", {"const": "true"}),
    "Retry-After": ("Seconds after which to try again.", {"type": "integer", "minimum": 1}),
    "WWW-Authenticate": ("How to sign in.", TEXT),
    "Content-Language": ("The language of `error`.", {"enum": ["en", "ru"]}),
    "Content-Disposition": ("The name of the file.", TEXT),
}


def parameter(name: str) -> dict[str, Any]:
    """Describe something that a request may carry."""
    where, description, schema, example = TAKEN[name]
    return {"name": name, "in": where, "description": description, "schema": schema, "example": example}


def header(name: str) -> dict[str, Any]:
    """Describe a header of answers."""
    description, schema = SENT[name]
    return {"description": description, "schema": schema}


def references(*names: str) -> dict[str, Any]:
    """The headers of an answer, with those that all may have."""
    return {
        name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", "traceparent", *names)
    }
