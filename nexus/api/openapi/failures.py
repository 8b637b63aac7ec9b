"""The errors that an operation can return, and their bodies."""

from collections.abc import Iterable
from inspect import getdoc
from typing import Any

from werkzeug.routing import Rule

from nexus.api.endpoint import Endpoint
from nexus.api.openapi.headers import references
from nexus.api.openapi.models import reference
from nexus.errors import (
    BadRequest,
    BodyTooLarge,
    BrokenJSON,
    CommitUnconfirmed,
    CrossOrigin,
    DatabaseBusy,
    DatabaseUnavailable,
    InternalError,
    InvalidTransition,
    NexusError,
    NotFound,
    NotReady,
    OpenOrders,
    PoolExhausted,
    PriceChanged,
    Unauthenticated,
    UnsupportedMediaType,
    ValidationFailed,
)
from nexus.schemas.fields import Failure, Problem
from nexus.security.origins import CHANGING

#: The errors of reading the input, and those of using the database.
OF_INPUT = (BadRequest, BrokenJSON, ValidationFailed, BodyTooLarge, UnsupportedMediaType)
OF_DATABASE = (PoolExhausted, DatabaseUnavailable, DatabaseBusy, CommitUnconfirmed)

TEXTS = {"type": "array", "items": {"type": "string"}}
#: The members that an error has beside the standard ones.
MEMBERS: dict[type[NexusError], dict[str, Any]] = {
    ValidationFailed: {"errors": {"type": "array", "items": reference(Problem)}},
    InvalidTransition: {"allowed": TEXTS},
    PriceChanged: {"price": {"type": "integer"}, "currency": {"type": "string"}},
    OpenOrders: {"orders": TEXTS},
    NotReady: {"missing": TEXTS},
}


def errors_of(rule: Rule, method: str, declared: Endpoint) -> list[type[NexusError]]:
    """Every error that an operation can return: those it declares and those that its input implies."""
    found = [*declared.errors, InternalError]
    if declared.reads:
        found += [*OF_INPUT, *OF_DATABASE]
    if rule.arguments:
        found.append(NotFound)
    if declared.sign_in:
        found.append(Unauthenticated)
        if method in CHANGING:
            found.append(CrossOrigin)
    return list(dict.fromkeys(found))


def failures(rule: Rule, method: str, declared: Endpoint) -> dict[str, Any]:
    """The error responses of an operation, by status."""
    by_status: dict[int, list[type[NexusError]]] = {}
    for error in errors_of(rule, method, declared):
        by_status.setdefault(error.status.value, []).append(error)
    success = {"success": {"const": False}} if rule.rule.startswith("/api/auth/") else {}
    return {str(status): _failure(by_status[status], success) for status in sorted(by_status)}


def _failure(errors: Iterable[type[NexusError]], members: dict[str, Any]) -> dict[str, Any]:
    """The response for one status, which lists the codes that it can have."""
    lines = [f"`{error.code}`: {(getdoc(error) or '').partition(chr(10))[0]}" for error in errors]
    properties: dict[str, Any] = {
        "code": {"type": "string", "enum": sorted(error.code for error in errors)},
        **members,
    }
    for error in errors:
        for family, own in MEMBERS.items():
            properties |= own if issubclass(error, family) else {}
    schema = {"allOf": [reference(Failure), {"type": "object", "properties": properties}]}
    headers = dict.fromkeys(name for error in errors for name in error.headers)
    return {
        "description": "\n\n".join(lines),
        "headers": references("Content-Language", *headers),
        "content": {"application/problem+json": {"schema": schema}},
    }
