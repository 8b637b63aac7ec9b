"""How a call goes, whoever sends it: which tries are repeated, and how the session is renewed.

Nothing is sent from here. An exchange is a generator of steps; a driver takes each of them, blocking or
awaited, and gives back what came of it.
"""

import random
import re
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import httpx

from nexus.client.call import Call
from nexus.client.failures import Garbled, Unreachable, refusal, retry_after, tells
from nexus.errors import DatabaseBusy, IdempotencyInProgress, Throttled, Unauthenticated

Result = TypeVar("Result")

#: Errors from before there was a connection, so that the service has done nothing.
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
#: What a header can hold, whole and as it is.
SENDABLE = re.compile(r"[!-~]+(?: +[!-~]+)*")
#: The service is away for a moment, or a proxy finds it away.
AWAY = (502, 503, 504)
#: Seconds before the second try; each further wait is twice as long, up to the longest.
FIRST_WAIT, LONGEST_WAIT = 0.2, 4.0
#: Seconds for a try to renew the session, so that a second one comes within the ten seconds in which the
#: service answers a refresh token again.
RENEWAL_TIMEOUT = 4.0

_dice = random.SystemRandom()


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """What signs a client in: for some time, and for the next pair."""

    access: str
    refresh: str


@dataclass(frozen=True)
class Send:
    """Send a call, and give back the httpx.Response; an httpx.RequestError is thrown in."""

    call: Call[Any]
    headers: Mapping[str, str]
    timeout: float

    @property
    def request(self) -> dict[str, Any]:
        """What httpx needs to know."""
        call = self.call
        return {
            "method": call.method,
            "url": call.path,
            "params": call.query,
            "json": call.body,
            "headers": self.headers,
            "timeout": self.timeout,
        }


@dataclass(frozen=True)
class Wait:
    """Let seconds pass."""

    seconds: float


@dataclass(frozen=True)
class Alone:
    """Run these steps under the client's lock."""

    steps: "Steps[None]"


Step: TypeAlias = Send | Wait | Alone
Steps: TypeAlias = Generator[Step, Any, Result]


class Exchange:
    """The session of one client, and how its calls go; threads and tasks may share it."""

    def __init__(
        self,
        *,
        tokens: Tokens | None = None,
        timeout: float,
        patience: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the seconds that a try may take, and those after which a call is not tried again."""
        self.tokens = tokens
        self._clock = clock
        self._timeout = timeout
        self._patience = patience

    def run(self, call: Call[Result]) -> Steps[Result]:
        """The steps of a call, and its result; Refused, Unreachable or Garbled where there is none.

        ValueError for a key, receipt or token that no request can carry.
        """
        # Who shows a receipt is its buyer, signed in or not.
        tokens = None if "Authorization" in call.headers else self.tokens
        end = self._clock() + self._patience
        answer = yield from self._tried(call, tokens=tokens, timeout=self._timeout, end=end)
        if tokens and tells(answer, Unauthenticated):
            yield Alone(self._renew(tokens, end=end))
            renewed = self.tokens
            if renewed:
                answer = yield from self._tried(call, tokens=renewed, timeout=self._timeout, end=end)
        result = _read(answer, call.read)
        if call.session:
            self.tokens = _read(answer, _tokens) if call.session == "begins" else None
        return result

    def _renew(self, spent: Tokens, *, end: float) -> Steps[None]:
        """Get new tokens for spent ones, unless another call has; none are left when the session is over."""
        if self.tokens is not spent:
            return
        renewal = Call(
            method="POST",
            path="/api/auth/refresh",
            read=_tokens,
            body={"refreshToken": spent.refresh},
            # Sent again it answers the same, and there is nothing better to do with the token.
            safe=True,
        )
        timeout = min(self._timeout, RENEWAL_TIMEOUT)
        answer = yield from self._tried(renewal, tokens=None, timeout=timeout, end=end)
        self.tokens = None if tells(answer, Unauthenticated) else _read(answer, _tokens)

    def _tried(
        self, call: Call[Any], *, tokens: Tokens | None, timeout: float, end: float
    ) -> Steps[httpx.Response]:
        """Send a call until an answer counts, or the next try would come after the end."""
        bearer = {"Authorization": f"Bearer {tokens.access}"} if tokens else {}
        headers = {**call.headers, **bearer}
        for name, value in headers.items():
            if not SENDABLE.fullmatch(value):
                raise ValueError(f"{name}: only printable ASCII, without spaces around it, can be sent")
        send = Send(call, headers, timeout)
        longest = FIRST_WAIT
        while True:
            # Jitter, so that clients that failed at the same moment do not retry at the same moment.
            pause = longest * _dice.uniform(0.5, 1)
            try:
                answer: httpx.Response = yield send
            except httpx.RequestError as error:
                may_have_done = not isinstance(error, UNSENT)
                if (may_have_done and not call.safe) or self._clock() + pause > end:
                    raise Unreachable(method=call.method, path=call.path) from error
            else:
                pause += retry_after(answer.headers) or 0
                if not _passes(call, answer) or self._clock() + pause > end:
                    return answer
            yield Wait(pause)
            longest = min(2 * longest, LONGEST_WAIT)


def _passes(call: Call[Any], answer: httpx.Response) -> bool:
    """Whether the call may be sent again and answered otherwise."""
    undone = tells(answer, Throttled) or tells(answer, DatabaseBusy)
    passing = answer.status_code in AWAY or tells(answer, IdempotencyInProgress)
    return undone or (call.safe and passing)


def _read(answer: httpx.Response, read: Callable[[Any], Result]) -> Result:
    """What an answer says; Refused where that is an error, Garbled where it is none of the API's."""
    if not answer.is_success:
        raise refusal(answer)
    try:
        return read(answer.json() if answer.content else None)
    except (ValueError, KeyError, TypeError):
        raise Garbled(answer) from None


def _tokens(answer: Any) -> Tokens:
    return Tokens(access=answer["token"], refresh=answer["refreshToken"])
