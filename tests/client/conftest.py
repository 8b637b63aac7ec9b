"""A server that can be killed, and both clients; the async one has an event loop of its own."""

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from inspect import isasyncgen
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from nexus.client import AsyncClient, Client, Tokens
from nexus.config import Settings
from tests.environment import environment
from tests.factories import Person, register
from tests.faults.conftest import Server

ROOT = Path(__file__).parents[2]


class RestartableServer(Server):
    """A server with one worker that can be killed and restarted on the same port; it keeps its log."""

    def __init__(self, root: Path, settings: Settings, log: Path) -> None:
        self.log = log
        self.made_with = (root, settings)
        with log.open("ab") as lines:
            super().__init__(root, settings, lines, LOG_LEVEL="INFO", WEB_CONCURRENCY="1")

    def kill(self) -> None:
        """Kill the server and its worker with SIGKILL."""
        workers = ["pgrep", "-P", str(self.process.pid)]
        found = subprocess.run(workers, capture_output=True, text=True).stdout.split()
        for pid in (self.process.pid, *map(int, found)):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def restart(self, **changes: str) -> None:
        """Start the server again on the same port."""
        root, settings = self.made_with
        words = self.process.args
        assert isinstance(words, list)
        own = {"PORT": str(self.port), "LOG_LEVEL": "INFO", "WEB_CONCURRENCY": "1", **changes}
        with self.log.open("ab") as lines:
            self.process = subprocess.Popen(words, cwd=root, env=environment(settings, **own), stderr=lines)

    def request_count(self, route: str) -> int:
        """How many requests for a route the server has logged."""
        return self.log.read_text("utf-8").count(f" route='{route}' ")


class BlockingAdapter:
    """An async client with blocking methods, for threads: each call is a task of its event loop."""

    def __init__(self, client: AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        self.client = client
        self.loop = loop

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.client, name)
        return self._wrapped(found) if callable(found) else found

    def _wrapped(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            result = method(*args, **options)
            return self._rows(result) if isasyncgen(result) else self._wait(result)

        return call

    def _rows(self, rows: Any) -> Iterator[Any]:
        while (row := self._wait(anext(rows, None))) is not None:
            yield row

    def _wait(self, result: Any) -> Any:
        async def awaited() -> Any:
            return await result

        return asyncio.run_coroutine_threadsafe(awaited(), self.loop).result(60)


@pytest.fixture(scope="module")
def shop_server(
    app: Flask, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RestartableServer]:
    """A server on the database of the test run."""
    server = RestartableServer(ROOT, settings, tmp_path_factory.mktemp("server") / "log")
    try:
        server.wait()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(params=["blocking", "async"])
def connect(
    request: pytest.FixtureRequest, shop_server: RestartableServer, loop: asyncio.AbstractEventLoop
) -> Iterator[Callable[..., Any]]:
    """A function that makes a client of this kind, to be closed after the test."""
    made: list[Any] = []

    def connect(**options: Any) -> Any:
        url = shop_server.url("")
        if request.param == "blocking":
            made.append(Client(url, **options))
        else:
            made.append(BlockingAdapter(AsyncClient(url, **options), loop))
        return made[-1]

    yield connect
    for client in made:
        client.close()


@pytest.fixture
def expired(app: Flask, monkeypatch: pytest.MonkeyPatch) -> tuple[Person, Tokens]:
    """A seller whose access token has just expired, and the seller's tokens."""
    monkeypatch.setitem(app.config, "JWT_ACCESS_TOKEN_EXPIRES", timedelta(seconds=-1))
    person = register(app, "seller@example.com")
    assert person.token
    assert person.refresh_token
    return person, Tokens(access=person.token, refresh=person.refresh_token)
