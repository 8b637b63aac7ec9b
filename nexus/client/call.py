"""A call of the API: the request that it sends, and what it reads from the response."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar

Result = TypeVar("Result", covariant=True)
Row = TypeVar("Row", covariant=True)


@dataclass(frozen=True, kw_only=True)
class Call(Generic[Result]):
    """One call; `read` extracts its result from the response's JSON, which is None for an empty response.

    A `safe` call is idempotent: sent twice, it has the same effect as once. A call can begin the client's
    session, with the tokens in its response, or end it.
    """

    method: str
    path: str
    read: Callable[[Any], Result]
    body: Mapping[str, Any] | None = None
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    safe: bool = False
    session: Literal["begins", "ends"] | None = None


@dataclass(frozen=True, kw_only=True)
class Page(Generic[Row]):
    """Some rows of a list, and the call for the following ones, or None on the last page."""

    rows: list[Row]
    following: "Call[Page[Row]] | None"


def get(path: str, read: Callable[[Any], Result], **rest: Any) -> Call[Result]:
    """A call that changes nothing."""
    return Call(method="GET", path=path, read=read, safe=True, **rest)


def listing(path: str, rows: str, query: Mapping[str, Any]) -> Call[Page[Any]]:
    """A call for the first page of a list, whose response has the rows under the name `rows`."""

    def read(answer: Any) -> Page[Any]:
        cursor = answer["nextCursor"]
        following = replace(call, query={**query, "cursor": cursor}) if cursor is not None else None
        return Page(rows=answer[rows], following=following)

    call: Call[Page[Any]] = get(path, read, query=query)
    return call


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a body or query that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def nothing(answer: Any) -> None:
    """Ignore the response."""
