"""One operation (a method of a path), from what its endpoint declares."""

import re
from collections.abc import Callable, Iterator
from inspect import getdoc
from typing import Any

from pydantic.alias_generators import to_camel
from werkzeug.routing import Rule

from nexus.api.endpoint import Endpoint
from nexus.api.links import LONGEST_REFERENCE
from nexus.api.openapi.examples import EXAMPLES
from nexus.api.openapi.failures import failures
from nexus.api.openapi.headers import references
from nexus.api.openapi.models import Models, reference
from nexus.schemas.fields import MAX_ID

CONVERTED = re.compile(r"<(?P<converter>[a-z]+):(?P<name>[a-z_]+)>")
#: The schema of a path parameter, by its converter.
IN_PATH: dict[str, dict[str, Any]] = {
    "id": {"type": "integer", "minimum": 1, "maximum": MAX_ID},
    "reference": {"type": "string", "minLength": 1, "maxLength": LONGEST_REFERENCE},
    "uuid": {"type": "string", "format": "uuid"},
}
SIGNED_IN = ("bearer", "cookie")
RECEIPTS = ("receipt", "receiptLink")


def path(rule: Rule) -> str:
    """A route as OpenAPI writes it."""
    return CONVERTED.sub(lambda found: f"{{{to_camel(found['name'])}}}", rule.rule)


def operation(
    rule: Rule, method: str, declared: Endpoint, *, view: Callable[..., Any], models: Models
) -> dict[str, Any]:
    """Describe the input and the responses of one method of a route."""
    described: dict[str, Any] = {
        "operationId": to_camel(rule.endpoint.rpartition(".")[2]),
        "tags": [_tag(rule)],
        "summary": (getdoc(view) or "").partition("\n")[0],
        "parameters": [*_in_path(rule), *_in_query(declared, models), *_taken(declared)],
        "responses": _responses(declared) | failures(rule, method, declared),
    }
    if declared.sign_in:
        schemes = [*SIGNED_IN, *(RECEIPTS if declared.receipt else ())]
        nobody: list[dict[str, list[str]]] = [{}] if declared.sign_in == "optional" else []
        described["security"] = [*({scheme: []} for scheme in schemes), *nobody]
    elif declared.scheme:
        described["security"] = [{declared.scheme: []}]
    if declared.body:
        content = {"schema": reference(declared.body), "example": EXAMPLES[declared.body]}
        required = bool(models.components[declared.body.__name__].get("required"))
        described["requestBody"] = {"required": required, "content": {"application/json": content}}
    return described


def _tag(rule: Rule) -> str:
    """The part of the API that a route belongs to: `orders` for `/api/orders.csv`."""
    found = re.match(r"/api/([a-z]+)", rule.rule)
    return found[1] if found and found[1] != "openapi" else "service"


def _in_path(rule: Rule) -> Iterator[dict[str, Any]]:
    for converter, name in CONVERTED.findall(rule.rule):
        yield {"name": to_camel(name), "in": "path", "required": True, "schema": IN_PATH[converter]}


def _in_query(declared: Endpoint, models: Models) -> Iterator[dict[str, Any]]:
    if declared.query:
        yield from models.parameters(declared.query)


def _taken(declared: Endpoint) -> Iterator[dict[str, str]]:
    key = ("Idempotency-Key",) if declared.idempotent else ()
    for name in ("X-Request-Id", "traceparent", "Accept-Language", *key, *declared.takes):
        yield {"$ref": f"#/components/parameters/{name}"}


def _responses(declared: Endpoint) -> dict[str, Any]:
    replayed = ("Idempotent-Replayed",) if declared.idempotent else ()
    headers = references(*declared.headers, *replayed)
    answered: dict[str, Any] = {"description": "Done.", "headers": headers}
    if declared.answer:
        shown = {"schema": reference(declared.answer), "example": EXAMPLES[declared.answer]}
        answered["description"] = declared.answer.__doc__
        answered["content"] = {declared.media: shown}
    elif declared.status != 204:
        answered["content"] = {declared.media: {"schema": {"type": "string"}}}
    responses = {str(declared.status): answered}
    if "If-None-Match" in declared.takes:
        responses["304"] = {"description": "You already have this version.", "headers": headers}
    return responses
