"""Facts about answers of the API: what its description says of them, and what came over the wire."""

from collections.abc import Iterator
from typing import Any

#: An operation and a status; and of an answer with that, the name of a header or a field.
Fact = tuple[str, ...]


def declared(document: dict[str, Any]) -> set[Fact]:
    """What a description says of the answers of every operation."""
    facts: set[Fact] = set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                asked = (f"{method.upper()} {path}", status)
                facts |= {asked, *((*asked, "header", name) for name in answer["headers"])}
                for content in answer.get("content", {}).values():
                    names = _described(content["schema"], document["components"]["schemas"])
                    facts |= {(*asked, "field", name) for name in names}
    return facts


def seen(operation: str, answer: Any) -> set[Fact]:
    """What an answer shows of them."""
    asked = (operation, str(answer.status_code))
    facts: set[Fact] = {asked, *((*asked, "header", name) for name, _ in answer.headers)}
    if answer.is_json:
        facts |= {(*asked, "field", name) for name in _found(answer.get_json())}
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
