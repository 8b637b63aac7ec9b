"""Every header that the API reads or sends: its description and its schema."""

from typing import Any

from nexus.api.keys import LONGEST
from nexus.security.tokens import REFRESH_COOKIE

TEXT = {"type": "string"}
REQUEST_ID = {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"}
TRACEPARENT = {"type": "string", "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"}

#: Request headers and cookies: where it is sent, its description, its schema, an example.
TAKEN: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "X-Request-Id": (
        "header",
        "An id of your own for the request, which the log then uses.",
        TEXT,
        "checkout-7f3a",
    ),
    "traceparent": (
        "header",
        "The trace that the request belongs to (W3C Trace Context), for the log.",
        TEXT,
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ),
    "Accept-Language": ("header", "The language of error messages: `en` or `ru`.", TEXT, "ru"),
    "If-None-Match": (
        "header",
        "The `ETag` of the version that you have: if it is still current, the response is 304.",
        TEXT,
        '"1-1769850753123000"',
    ),
    "If-Match": (
        "header",
        "The `ETag` of the version that you read: no other version is changed.",
        TEXT,
        '"1-1769850753123000"',
    ),
    "Idempotency-Key": (
        "header",
        "A unique text for each order; repeats make no second one. At least 32 characters if not signed in.",
        {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "^[^,]*$"},
        "c0ffee5e-7c53-4f3e-9f0b-1d2c3b4a5f60",
    ),
    REFRESH_COOKIE: (
        "cookie",
        "A browser's refresh token, used if the body has none.",
        TEXT,
        "pXr0bQ4n8sYw2mK6tVc1zA",
    ),
}

#: Response headers: the description and the schema.
SENT: dict[str, tuple[str, dict[str, Any]]] = {
    "X-Request-Id": ("The id of the request in the log.", REQUEST_ID),
    "traceparent": ("The request's own `traceparent`, if it was well formed.", TRACEPARENT),
    "Location": ("The address of what was created.", TEXT),
    "Link": ('The next page, with `rel="next"`; absent on the last.', TEXT),
    "Set-Cookie": ("The tokens for a browser, or their removal.", TEXT),
    "ETag": ("The version that the response shows.", TEXT),
    "Idempotent-Replayed": ("The response to the first request with this key, again.", {"const": "true"}),
    "Retry-After": ("Seconds after which to try again.", {"type": "integer", "minimum": 1}),
    "WWW-Authenticate": ("How to sign in.", TEXT),
    "Content-Language": ("The language of `error`.", {"enum": ["en", "ru"]}),
    "Content-Disposition": ("The name of the file.", TEXT),
}


def parameter(name: str) -> dict[str, Any]:
    """Describe a request header or cookie."""
    where, description, schema, example = TAKEN[name]
    return {"name": name, "in": where, "description": description, "schema": schema, "example": example}


def header(name: str) -> dict[str, Any]:
    """Describe a response header."""
    description, schema = SENT[name]
    return {"description": description, "schema": schema}


def references(*names: str) -> dict[str, Any]:
    """References to the headers of a response, with those that every response may have."""
    return {
        name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", "traceparent", *names)
    }
