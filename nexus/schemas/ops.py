"""Health and the API description: output of the API."""

from typing import Any, Literal

from typing_extensions import TypedDict


class Health(TypedDict):
    """The state of the process: it serves requests (`ok`), or it may be sent requests (`ready`)."""

    status: Literal["ok", "ready"]


class Description(TypedDict):
    """The API as an OpenAPI 3.1 document."""

    openapi: str
    info: dict[str, Any]
    servers: list[dict[str, Any]]
    tags: list[dict[str, Any]]
    paths: dict[str, Any]
    components: dict[str, Any]
