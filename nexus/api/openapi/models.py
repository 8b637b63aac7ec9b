"""The schemas of bodies, queries and responses, as pydantic generates them."""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from nexus.api.endpoint import Endpoint
from nexus.schemas.fields import Failure, Input, Problem

Schema = dict[str, Any]

REFERENCE = "#/components/schemas/{model}"
NULL = {"type": "null"}


class Untitled(GenerateJsonSchema):
    """Schemas without field titles, which would only repeat the fields' names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature.
        """Whether a field gets a title."""
        return False


class Models:
    """The schemas of all that the endpoints declare; `components` holds those referred to by name."""

    def __init__(self, declared: Iterable[Endpoint]) -> None:
        """Generate the schemas."""
        declared = list(declared)
        used = {one for each in declared for one in (each.body, each.query, each.answer) if one}
        types = sorted({*used, Failure, Problem}, key=lambda one: str(one.__name__))
        adapters: list[Any] = [(one, "validation", TypeAdapter(one)) for one in types]
        _, made = TypeAdapter.json_schemas(adapters, ref_template=REFERENCE, schema_generator=Untitled)
        every: dict[str, Schema] = made["$defs"]
        for one in used:
            if issubclass(one, Input):
                _allow_null(every[one.__name__])
        self.queries = {each.query: every.pop(each.query.__name__) for each in declared if each.query}
        self.components = every

    def parameters(self, query: type[Input]) -> Iterator[Schema]:
        """Describe the parameters of a query, which cannot be null."""
        schema = self.queries[query]
        for name, field in schema["properties"].items():
            choices = [one for one in field.get("anyOf", [field]) if one != NULL]
            required = name in schema.get("required", ()) and NULL not in field.get("anyOf", ())
            default = {"default": field["default"]} if field.get("default") is not None else {}
            kind = {key: value for key, value in choices[0].items() if key != "description"} | default
            yield {
                "name": name,
                "in": "query",
                "description": (choices[0] | field)["description"],
                "required": required,
                "schema": kind,
            }


def reference(model: Any) -> Schema:
    """Refer to the schema of a body or a response."""
    return {"$ref": REFERENCE.format(model=model.__name__)}


def _allow_null(schema: Schema) -> None:
    """Allow null for every optional field, since null means the same as leaving it out."""
    for name, field in schema["properties"].items():
        if field.get("default", ...) is None:
            # Type generators take a field with a default for one that is always present.
            del field["default"]
        if name not in schema.get("required", ()) and "anyOf" not in field:
            default = {"default": field.pop("default")} if "default" in field else {}
            schema["properties"][name] = {"anyOf": [field, NULL], **default}
