"""Validators and error messages of settings, worded for the operator."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, ValidationError

from nexus.signing_keys import weakness

#: Replacements for pydantic's messages that only programmers would understand.
WORDS = {
    "int_parsing": "must be a whole number",
    "bool_parsing": "must be true or false",
    "string_pattern_mismatch": "must be three capital letters, as in USD",
}


def lines(error: ValidationError) -> list[str]:
    """One line for each problem, starting with the variable."""
    lines = []
    for problem in error.errors():
        text = WORDS.get(problem["type"], problem["msg"].removeprefix("Value error, "))
        name = ".".join(str(part) for part in problem["loc"][:1]).upper()
        lines.append(f"{name}: {text[:1].lower()}{text[1:]}" if name else text)
    return lines


def address_for(module: str, *, extra: str) -> Callable[[str], str]:
    """A validator of HTTP URLs; it raises ValueError also if the package that needs it is not installed."""

    def check(url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be a URL that begins with https:// or http://")
        if not _installed(module):
            raise ValueError(f"needs packages that are not installed: pip install '.[{extra}]'")
        return url

    return check


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        # Its parent package is not installed either.
        return False


def unguessable(secret: str) -> str:
    """Return the secret, or raise ValueError if it is too weak."""
    if weak := weakness(secret):
        raise ValueError(f"{weak}; generate one with: openssl rand -base64 48")
    return secret


Token = Annotated[str, AfterValidator(unguessable)]
SentryURL = Annotated[str, AfterValidator(address_for("sentry_sdk", extra="sentry"))]
CollectorURL = Annotated[
    str, AfterValidator(address_for("opentelemetry.exporter.otlp.proto.http", extra="otel"))
]
