"""A browser, the application that it visits, and pages whose complaints fail a test."""

from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.browser.chromium import PROGRAM, Chromium
from tests.browser.page import Page
from tests.ports import free_port


class Quiet(WSGIRequestHandler):
    """A request handler that keeps connections alive, like a real server, and logs nothing."""

    protocol_version = "HTTP/1.1"

    def log(self, *args: Any) -> None:
        """Leave logging to the application."""


@pytest.fixture(scope="session")
def origin(app: Flask) -> Iterator[str]:
    """The origin of the application, served by this process, so that tests can change what pages show."""
    server = make_server("127.0.0.1", free_port(), app, threaded=True, request_handler=Quiet)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One browser for all tests of a process."""
    if PROGRAM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    chromium = Chromium(tmp_path_factory.mktemp("chromium"))
    yield chromium
    chromium.close()


@pytest.fixture
def visit(chromium: Chromium) -> Iterator[Callable[[str], Page]]:
    """Open pages; none may contact another host, log an error or violate its Content-Security-Policy."""
    pages: list[Page] = []

    def begin(origin: str) -> Page:
        pages.append(Page(chromium, origin))
        return pages[-1]

    yield begin
    found = [complaint for page in pages for complaint in page.complaints()]
    for page in pages:
        page.close()
    assert not found


@pytest.fixture
def page(visit: Callable[[str], Page], origin: str) -> Page:
    """A page of the application."""
    return visit(origin)
