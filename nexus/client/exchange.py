"""The steps of a call: which attempts are repeated, and how the session is renewed.

Nothing is sent from here. An exchange is a generator of steps; a driver runs each of them, blocking or
async, and sends its result back.
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

#: Errors before there was a connection, so the service has done nothing.
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
#: Header values that are transmitted unchanged.
SENDABLE = re.compile(r"[!-~]+(?: +[!-~]+)*")
#: The service is temporarily unavailable, or a proxy cannot reach it.
AWAY = (502, 503, 504)
#: Seconds before the second attempt; each further wait is twice as long, up to the longest.
FIRST_WAIT, LONGEST_WAIT = 0.2, 4.0
#: Time limit of an attempt to renew the session, so that a second one comes within the ten seconds in which
#: the service accepts a used refresh token again.
RENEWAL_TIMEOUT = 4.0

_dice = random.SystemRandom()


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """The access token, and the refresh token for the next pair."""

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
        """The arguments for httpx."""
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
    """Wait for some seconds."""

    seconds: float


@dataclass(frozen=True)
class Locked:
    """Run these steps under the client's lock."""

    steps: "Steps[None]"


Step: TypeAlias = Send | Wait | Locked
Steps: TypeAlias = Generator[Step, Any, Result]


class Exchange:
    """The session of one client, and the steps of its calls; threads and tasks may share it."""

    def __init__(
        self,
        *,
        tokens: Tokens | None = None,
        timeout: float,
        patience: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the time limit of an attempt, and the seconds after which a call is not repeated."""
        self.tokens = tokens
        self._clock = clock
        self._timeout = timeout
        self._patience = patience

    def run(self, call: Call[Result]) -> Steps[Result]:
        """The steps of a call, and its result; Refused, Unreachable or Garbled if it fails.

        ValueError for a key, receipt or token that cannot be sent in a header.
        """
        # With a receipt the caller is the buyer, signed in or not.
        tokens = None if "Authorization" in call.headers else self.tokens
        end = self._clock() + self._patience
        answer = yield from self._attempt(call, tokens=tokens, timeout=self._timeout, end=end)
        if tokens and tells(answer, Unauthenticated):
            yield Locked(self._renew(tokens, end=end))
            renewed = self.tokens
            if renewed:
                answer = yield from self._attempt(call, tokens=renewed, timeout=self._timeout, end=end)
        result = _read(answer, call.read)
        if call.session:
            self.tokens = _read(answer, _tokens) if call.session == "begins" else None
        return result

    def _renew(self, spent: Tokens, *, end: float) -> Steps[None]:
        """Renew expired tokens, unless another call has done so; None are left if the session has ended."""
        if self.tokens is not spent:
            return
        renewal = Call(
            method="POST",
            path="/api/auth/refresh",
            read=_tokens,
            body={"refreshToken": spent.refresh},
            # Repeated, it gives the same response, and there is no other use for the token.
            safe=True,
        )
        timeout = min(self._timeout, RENEWAL_TIMEOUT)
        answer = yield from self._attempt(renewal, tokens=None, timeout=timeout, end=end)
        self.tokens = None if tells(answer, Unauthenticated) else _read(answer, _tokens)

    def _attempt(
        self, call: Call[Any], *, tokens: Tokens | None, timeout: float, end: float
    ) -> Steps[httpx.Response]:
        """Send a call until a response is final, or the next attempt would be after `end`."""
        bearer = {"Authorization": f"Bearer {tokens.access}"} if tokens else {}
        headers = {**call.headers, **bearer}
        for name, value in headers.items():
            if not SENDABLE.fullmatch(value):
                raise ValueError(f"{name}: only printable ASCII without surrounding spaces can be sent")
        send = Send(call, headers, timeout)
        longest = FIRST_WAIT
        while True:
            # Jitter, so that clients that fail at the same moment do not retry at the same moment.
            pause = longest * _dice.uniform(0.5, 1)
            try:
                answer: httpx.Response = yield send
            except httpx.RequestError as error:
                may_have_done = not isinstance(error, UNSENT)
                if (may_have_done and not call.safe) or self._clock() + pause > end:
                    raise Unreachable(method=call.method, path=call.path) from error
            else:
                pause += retry_after(answer.headers) or 0
                if not _is_transient(call, answer) or self._clock() + pause > end:
                    return answer
            yield Wait(pause)
            longest = min(2 * longest, LONGEST_WAIT)


def _is_transient(call: Call[Any], answer: httpx.Response) -> bool:
    """Whether the call may be repeated, and may then have another response."""
    undone = tells(answer, Throttled) or tells(answer, DatabaseBusy)
    passing = answer.status_code in AWAY or tells(answer, IdempotencyInProgress)
    return undone or (call.safe and passing)


def _read(answer: httpx.Response, read: Callable[[Any], Result]) -> Result:
    """The result in a response; Refused if it is an error, Garbled if it does not come from the API."""
    if not answer.is_success:
        raise refusal(answer)
    try:
        return read(answer.json() if answer.content else None)
    except (ValueError, KeyError, TypeError):
        raise Garbled(answer) from None


def _tokens(answer: Any) -> Tokens:
    return Tokens(access=answer["token"], refresh=answer["refreshToken"])
