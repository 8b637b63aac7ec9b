"""How a call can fail: refused by an error of `nexus.errors`, or without an answer that counts."""

from typing import Any, cast

import httpx

from nexus.errors import NexusError, family
from nexus.refusals import REFUSALS
from nexus.schemas.fields import Failure

#: Digits of a number of seconds, beyond which it counts as none.
LONGEST = 9
#: What every problem says (RFC 9457); beside it stands what one code adds.
NEEDED = Failure.__required_keys__
STANDARD = NEEDED | {"errors", "success"}


class ShopError(Exception):
    """A call that has no result."""


class Unreachable(ShopError):
    """No answer came, and the cause is httpx's error; what the call has done is not known."""

    def __init__(self, *, method: str, path: str) -> None:
        super().__init__(f"{method} {path} was not answered")


class Garbled(ShopError):
    """The answer is none of this API, but a proxy's page, for instance; `status` is its own."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(f"{answer.request.method} {answer.request.url} was answered {answer.status_code}")
        self.status = answer.status_code


class Refused(ShopError):
    """The service said no.

    What is raised is also the error of `nexus.errors` that has this `code`, unless the service is newer and
    has one that is not there. `message` is for a person, in the language that was asked for; `extra` is what
    the code adds, such as `allowed`; `problems` are those of the input, each with `field`, `code` and
    `message`; `retry_after` are the seconds after which to try again, where that is told.
    """

    def __init__(self, problem: dict[str, Any], *, headers: httpx.Headers) -> None:
        # Not by super(), which may be the service's error, made otherwise.
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


#: Each refusal is its error of the service too, so that both ends name it by the same class.
KINDS = {
    error.code: cast(type[Refused], type(error.__name__, (Refused, error), {"__doc__": error.__doc__}))
    for error in {*family(), *REFUSALS.values()}
}


def refusal(answer: httpx.Response) -> ShopError:
    """The error that an answer tells."""
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or not problem.keys() >= NEEDED:
        return Garbled(answer)
    return KINDS.get(problem["code"], Refused)(problem, headers=answer.headers)


def tells(answer: httpx.Response, error: type[NexusError]) -> bool:
    """Whether an answer is this error."""
    if answer.status_code != error.status:
        return False
    found = refusal(answer)
    return isinstance(found, Refused) and found.code == error.code


def retry_after(headers: httpx.Headers) -> int | None:
    """The seconds of a `Retry-After`; a date, as some proxies send it, counts as none."""
    given = headers.get("Retry-After", "")
    return int(given) if given.isdecimal() and len(given) <= LONGEST else None
