"""The types of the API's fields: how each is parsed, how it is written, and what can be wrong with it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WrapValidator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

DIGITS = re.compile(r"-?[0-9]{1,20}", re.ASCII)
TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:[0-5]\d)", re.ASCII)
MAX_ID = 2**63 - 1
#: The longest address that RFC 5321 allows.
EMAIL_LENGTH = 254
#: Short lower-case addresses, which the library would leave unchanged, but only after a slow check.
USUAL_EMAIL = re.compile(
    r"(?=.{1,64}$)[a-z0-9]+(?:[._+-][a-z0-9]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+[a-z]{2,}", re.ASCII
)
NO_DOMAINS = tuple(f".{name}" for name in SPECIAL_USE_DOMAIN_NAMES)

#: Pydantic's error types, and our codes for them. Errors of our own validators have our codes already.
CODES = {
    "missing": "required",
    "extra_forbidden": "unknown",
    "string_type": "not_a_string",
    "string_too_short": "too_short",
    "string_too_long": "too_long",
    "greater_than_equal": "too_small",
    "less_than_equal": "too_large",
    "literal_error": "not_a_choice",
}
#: The description of every `cursor` parameter.
CURSOR = "The `nextCursor` of the page before, with the same query."
LIMITS = ("min_length", "max_length", "ge", "le", "limit")


class Input(BaseModel):
    """What a client sends; unknown fields are refused, and null counts as leaving a field out."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


def _integer(value: object) -> object:
    if type(value) is int:
        return value
    if isinstance(value, str) and DIGITS.fullmatch(value):
        return int(value)
    raise PydanticCustomError("not_an_integer", "not an integer")


def _without_nul(value: object) -> object:
    if isinstance(value, str) and "\0" in value:
        raise PydanticCustomError("has_nul", "contains NUL")
    return value


def _email(value: str) -> str:
    stored = _stored(value)
    if stored is None:
        raise PydanticCustomError("not_an_email", "not an e-mail address")
    return stored


def _stored(email: str) -> str | None:
    """An address in the canonical form that we store, or None if it is not valid."""
    if USUAL_EMAIL.fullmatch(email) and not email.endswith(NO_DOMAINS):
        return email
    try:
        return validate_email(email, check_deliverability=False, strict=True).normalized
    except EmailNotValidError:
        return None


def spellings(email: str) -> tuple[str, ...]:
    """An address as it was typed, and in the canonical form that we store, if that differs.

    Imported rows have addresses as they were typed; new ones have them in canonical form.
    """
    stored = _stored(email)
    return (email,) if stored in (None, email) else (email, stored)


def _time(value: object) -> datetime:
    try:
        if isinstance(value, str) and TIME.fullmatch(value):
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise PydanticCustomError("not_a_time", "not a time")


def after(check: Callable[[str], str]) -> WrapValidator:
    """A check that runs only after the other rules passed, so that a field has one problem at most."""
    return WrapValidator(lambda value, handler: check(handler(value)))


#: Last in an Annotated, so that the JSON schema shows the limits before it as those of an integer.
WHOLE = BeforeValidator(_integer)
Text = Annotated[str, BeforeValidator(_without_nul)]
Id = Annotated[int, Field(ge=1, le=MAX_ID), WHOLE]
#: An amount in the currency's smallest unit: the price of a new product, and any that imported data may have.
Money = Annotated[int, Field(ge=0, le=99_999_999), WHOLE]
AnyMoney = Annotated[int, Field(ge=0, le=MAX_ID), WHOLE]
Email = Annotated[
    Text, Field(max_length=EMAIL_LENGTH, json_schema_extra={"format": "idn-email"}), after(_email)
]
Time = Annotated[datetime, BeforeValidator(_time)]
Limit = Annotated[int, Field(ge=1, le=200), WHOLE]
#: A time in a response, as `rfc3339` writes it.
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Problem(TypedDict):
    """One problem with the input."""

    field: str
    code: str
    message: str


class Failure(TypedDict):
    """The body of every error (RFC 9457); some codes add members of their own."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    requestId: str
    error: str


def rfc3339(moment: datetime) -> str:
    """Write a time in UTC with milliseconds: 2026-01-31T09:12:33.123Z."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    # By orjson, since a page has many times and Python's isoformat takes three times as long.
    text = orjson.dumps(utc).decode()
    return f"{text[1:24]}Z" if utc.microsecond else f"{text[1:20]}.000Z"


def problems(error: ValidationError) -> list[dict[str, Any]]:
    """Every problem with the input: `field`, `code`, and the parameters of the code's message."""
    return [_problem(found) for found in error.errors(include_url=False, include_input=False)]


def _problem(found: Any) -> dict[str, Any]:
    context = found.get("ctx", {})
    return {
        "field": ".".join(str(part) for part in found["loc"]),
        "code": CODES.get(found["type"], found["type"]),
        "limit": next((context[name] for name in LIMITS if name in context), None),
        "choices": context.get("expected", "").replace("'", "").replace(" or ", ", "),
    }
