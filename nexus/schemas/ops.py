"""What the service says about itself on the wire."""

from typing import Any, Literal

from typing_extensions import TypedDict


class Health(TypedDict):
    """How the process is: it serves, or it can be sent requests."""

    status: Literal["ok", "ready"]


class Description(TypedDict):
    """The API as an OpenAPI 3.1 document."""

    openapi: str
    info: dict[str, Any]
    servers: list[dict[str, Any]]
    tags: list[dict[str, Any]]
    paths: dict[str, Any]
    components: dict[str, Any]
