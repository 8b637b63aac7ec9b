"""The drivers that run the steps of a call: one that blocks, for threads, and one that awaits, for tasks."""

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import httpx

from nexus.client.call import Call, Page
from nexus.client.exchange import Exchange, Locked, Send, Step, Steps, Tokens, Wait

Result = TypeVar("Result")
Row = TypeVar("Row")


class Driver(ABC):
    """The common part of both."""

    def __init__(
        self,
        url: str,
        *,
        tokens: Tokens | None = None,
        language: Literal["en", "ru"] | None = None,
        timeout: float = 10,
        patience: float = 30,
    ) -> None:
        """Take the URL of the service, and optionally the tokens of an existing session.

        `timeout` is the time limit of one attempt, in seconds. A failed attempt that may be repeated is not
        repeated after `patience` seconds since the first one; with 0, none is.
        """
        if not url.lower().startswith(("http://", "https://")):
            # httpx would raise this on each attempt, and each would be repeated.
            raise ValueError(f"the service's address must begin with http:// or https://: {url}")
        self._exchange = Exchange(tokens=tokens, timeout=timeout, patience=patience)
        self._connect(base_url=url, headers={"Accept-Language": language} if language else {})

    @property
    def tokens(self) -> Tokens | None:
        """The current tokens, with which the session can be continued later; None if not signed in."""
        return self._exchange.tokens

    @abstractmethod
    def _connect(self, **options: Any) -> None: ...


class Blocking(Driver):
    """Runs the steps in the calling thread; threads may share one."""

    def _connect(self, **options: Any) -> None:
        self._http = httpx.Client(**options)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(self, call: Call[Result]) -> Result:
        """Make a call."""
        return self._drive(self._exchange.run(call))

    def pages(self, call: Call[Page[Row]]) -> Iterator[Row]:
        """All rows of a list; each page is requested when its first row is needed."""
        following: Call[Page[Row]] | None = call
        while following:
            page = self.call(following)
            yield from page.rows
            following = page.following

    def _drive(self, steps: Steps[Result]) -> Result:
        try:
            step = next(steps)
            while True:
                try:
                    outcome = self._take(step)
                except httpx.RequestError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(outcome)
        except StopIteration as end:
            result: Result = end.value
            return result

    def _take(self, step: Step) -> httpx.Response | None:
        match step:
            case Send():
                return self._http.request(**step.request)
            case Wait():
                time.sleep(step.seconds)
            case Locked():
                with self._lock:
                    self._drive(step.steps)
        return None


class Awaiting(Driver):
    """Runs the steps in the event loop in which it is used; tasks may share one."""

    def _connect(self, **options: Any) -> None:
        self._http = httpx.AsyncClient(**options)
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def call(self, call: Call[Result]) -> Result:
        """Make a call."""
        return await self._drive(self._exchange.run(call))

    async def pages(self, call: Call[Page[Row]]) -> AsyncIterator[Row]:
        """All rows of a list; each page is requested when its first row is needed."""
        following: Call[Page[Row]] | None = call
        while following:
            page = await self.call(following)
            for row in page.rows:
                yield row
            following = page.following

    async def _drive(self, steps: Steps[Result]) -> Result:
        try:
            step = next(steps)
            while True:
                try:
                    outcome = await self._take(step)
                except httpx.RequestError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(outcome)
        except StopIteration as end:
            result: Result = end.value
            return result

    async def _take(self, step: Step) -> httpx.Response | None:
        match step:
            case Send():
                return await self._http.request(**step.request)
            case Wait():
                await asyncio.sleep(step.seconds)
            case Locked():
                async with self._lock:
                    await self._drive(step.steps)
        return None
