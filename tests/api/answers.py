"""Facts about responses of the API: what the OpenAPI document declares, and what was seen on the wire."""

from collections.abc import Iterator
from typing import Any

#: An operation and a status, optionally with the name of a header or field of that response.
Fact = tuple[str, ...]


def declared(document: dict[str, Any]) -> set[Fact]:
    """The facts that a document declares about the responses of every operation."""
    facts: set[Fact] = set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                response = (f"{method.upper()} {path}", status)
                facts |= {response, *((*response, "header", name) for name in answer["headers"])}
                for content in answer.get("content", {}).values():
                    names = _described(content["schema"], document["components"]["schemas"])
                    facts |= {(*response, "field", name) for name in names}
    return facts


def seen(operation: str, answer: Any) -> set[Fact]:
    """The facts that a response shows."""
    response = (operation, str(answer.status_code))
    facts: set[Fact] = {response, *((*response, "header", name) for name, _ in answer.headers)}
    if answer.is_json:
        facts |= {(*response, "field", name) for name in _found(answer.get_json())}
    return facts


def _described(schema: dict[str, Any], components: dict[str, Any], prefix: str = "") -> Iterator[str]:
    if "$ref" in schema:
        yield from _described(components[schema["$ref"].rpartition("/")[2]], components, prefix)
    for part in (*schema.get("allOf", ()), *schema.get("anyOf", ())):
        yield from _described(part, components, prefix)
    yield from _described(schema["items"], components, prefix) if "items" in schema else ()
    for name, field in schema.get("properties", {}).items():
        yield f"{prefix}{name}"
        yield from _described(field, components, f"{prefix}{name}.")


def _found(value: Any, prefix: str = "") -> Iterator[str]:
    """The names of all fields; those of a list are those of its items."""
    for item in value if isinstance(value, list) else ():
        yield from _found(item, prefix)
    for name, field in value.items() if isinstance(value, dict) else ():
        yield f"{prefix}{name}"
        yield from _found(field, f"{prefix}{name}.")
