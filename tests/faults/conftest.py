"""The server as started by the Procfile, with a PostgreSQL that a test may stop."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

from nexus.config import Settings
from nexus.embedded import Cluster
from nexus.migrate import History
from tests.environment import environment
from tests.factories import PASSWORD
from tests.ports import free_port

#: The property under which tests record rows for the table of docs/reliability.md.
ROWS = "rows of reliability"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --write-reliability."""
    parser.addoption(
        "--write-reliability",
        action="store_true",
        help="rewrite the table of docs/reliability.md with the results of this run",
    )


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table, and write it to the page if requested."""
    from tests.faults import report

    tests = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    tests.sort(key=lambda test: test.nodeid)
    rows = [row for test in tests for name, found in test.user_properties if name == ROWS for row in found]
    if rows:
        terminalreporter.write(f"\n{report.rendered(rows)}")
        # The option exists only in a run started with this folder, and each xdist worker has only
        # part of the rows.
        if config.getoption("--write-reliability", default=False) and not hasattr(config, "workerinput"):
            report.rewrite(rows)


class Server:
    """gunicorn on a free port, by default with two processes of six threads."""

    #: The module that Python runs, with its arguments.
    module: tuple[str, ...] = ("gunicorn", "-c", "python:nexus.server", "wsgi:app")

    def __init__(self, root: Path, settings: Settings, stderr: Any = None, **changes: str) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", *self.module],
            cwd=root,
            env=environment(
                settings,
                **{"PORT": str(self.port), "DATABASE_POOL_WAIT": "2", "LOG_LEVEL": "WARNING", **changes},
            ),
            stderr=stderr,
        )

    def get(self, path: str) -> tuple[int, bytes]:
        """GET a path; return status and body."""
        return self.send(Request(self.url(path)))

    def post(self, path: str, body: dict[str, Any], **headers: str) -> tuple[int, bytes]:
        """POST a JSON body; return status and body."""
        headers["Content-Type"] = "application/json"
        return self.send(Request(self.url(path), json.dumps(body).encode(), headers))

    def offer(self) -> int:
        """Register a seller, and offer a product; return its id."""
        credentials = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
        token = json.loads(self.post("/api/auth/register", credentials)[1])["token"]
        offered = self.post("/api/products", {"name": "Course", "price": 1}, Authorization=f"Bearer {token}")
        product: int = json.loads(offered[1])["product"]["id"]
        return product

    def url(self, path: str) -> str:
        """Return the URL of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def send(self, request: Request) -> tuple[int, bytes]:
        """Send a request; return status and body."""
        try:
            with urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except HTTPError as error:
            with error:
                return error.code, error.read()

    def kill_worker(self) -> None:
        """Kill the oldest worker with SIGKILL."""
        oldest = ["pgrep", "-o", "-P", str(self.process.pid)]
        found = subprocess.run(oldest, capture_output=True, text=True).stdout
        for pid in found.split():
            os.kill(int(pid), signal.SIGKILL)

    def workers(self) -> set[int]:
        """Return the worker processes."""
        found = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True)
        return {int(pid) for pid in found.stdout.split()}

    def wait(self) -> None:
        """Wait until the server responds."""
        while True:
            assert self.process.poll() is None
            try:
                self.get("/healthz")
            except OSError:
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Stop the server with SIGTERM, as hosting platforms do."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=30) == 0


@contextmanager
def serving(root: Path, settings: Settings, **changes: str) -> Iterator[Server]:
    """Run a server until the end of the block."""
    server = Server(root, settings, **changes)
    try:
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A separate PostgreSQL that the test may stop."""
    cluster = Cluster(tmp_path / "postgres", durable=False)
    cluster.start()
    yield cluster
    cluster.remove()


@pytest.fixture
def server(root: Path, settings: Settings, cluster: Cluster) -> Iterator[Server]:
    """The server with a separate PostgreSQL."""
    own = settings.model_copy(update={"database_url": cluster.url("nexus")})
    History.of(own).migrate()
    with serving(root, own) as server:
        yield server


@pytest.fixture(scope="module")
def shop(root: Path, settings: Settings) -> Iterator[Server]:
    """The server with the database of the test run, in two processes of six threads."""
    History.of(settings).migrate()
    with serving(root, settings) as server:
        yield server
