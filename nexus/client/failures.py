"""How a call can fail: with an error of `nexus.errors`, or without a valid response."""

from typing import Any, cast

import httpx

from nexus.errors import NexusError, family
from nexus.refusals import REFUSALS
from nexus.schemas.fields import Failure

#: Longer numbers of seconds, in digits, are ignored.
LONGEST = 9
#: The members of every problem (RFC 9457), to which a code may add others.
NEEDED = Failure.__required_keys__
STANDARD = NEEDED | {"errors", "success"}


class ShopError(Exception):
    """A call has failed."""


class Unreachable(ShopError):
    """There was no response, and httpx's error is the cause; whether the call had an effect is unknown."""

    def __init__(self, *, method: str, path: str) -> None:
        super().__init__(f"{method} {path} was not answered")


class Garbled(ShopError):
    """The response does not come from this API but, for example, from a proxy; `status` is its status."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(f"{answer.request.method} {answer.request.url} was answered {answer.status_code}")
        self.status = answer.status_code


class Refused(ShopError):
    """The service refused the call.

    The exception is also an instance of the error in `nexus.errors` that has this `code`, unless the service
    is newer and the code unknown here. `message` is for people, in the requested language; `extra` has the
    members that the code adds, such as `allowed`; `problems` lists those of the input, each with `field`,
    `code` and `message`; `retry_after` is the number of seconds after which to try again, if given.
    """

    def __init__(self, problem: dict[str, Any], *, headers: httpx.Headers) -> None:
        # Not with super(), which may be the service's error, with other arguments.
        Exception.__init__(self, problem["code"], problem["requestId"])
        self.code: str = problem["code"]
        self.status: int = problem["status"]
        self.message: str = problem["error"]
        self.request_id: str = problem["requestId"]
        self.problems: list[dict[str, Any]] = problem.get("errors", [])
        self.extra = {name: value for name, value in problem.items() if name not in STANDARD}
        self.headers = dict(headers)
        self.retry_after = retry_after(headers)

    def __str__(self) -> str:
        return f"{self.code}: {self.message} (request {self.request_id})"


#: Each refusal is also the service's error, so that both sides use the same class for it.
KINDS = {
    error.code: cast(type[Refused], type(error.__name__, (Refused, error), {"__doc__": error.__doc__}))
    for error in {*family(), *REFUSALS.values()}
}


def refusal(answer: httpx.Response) -> ShopError:
    """The error in a response."""
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or not problem.keys() >= NEEDED:
        return Garbled(answer)
    return KINDS.get(problem["code"], Refused)(problem, headers=answer.headers)


def tells(answer: httpx.Response, error: type[NexusError]) -> bool:
    """Whether a response is this error."""
    if answer.status_code != error.status:
        return False
    found = refusal(answer)
    return isinstance(found, Refused) and found.code == error.code


def retry_after(headers: httpx.Headers) -> int | None:
    """The seconds in `Retry-After`; a date, which some proxies send, is ignored."""
    given = headers.get("Retry-After", "")
    return int(given) if given.isdecimal() and len(given) <= LONGEST else None
