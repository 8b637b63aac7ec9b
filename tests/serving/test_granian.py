"""granian instead of gunicorn: bodies, addresses, metrics of all processes, the log, graceful shutdown."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.request import Request

import pytest

from nexus.config import Settings
from tests.environment import environment
from tests.factories import PASSWORD, Person
from tests.faults.conftest import Server
from tests.locks import held, until_someone_waits
from tests.samples import Samples

TOKEN = "Qm4-zL8tRx2_Wc9Kd6Vb3Np7Hs5Jf1Yg0"
ACCOUNT = json.dumps({"email": "new@test.com", "password": PASSWORD}).encode()
CHUNK = b" " * 65_536
#: An address that the client forged, followed by the one that the proxy saw.
FORWARDED = {"X-Forwarded-For": "198.51.100.9, 203.0.113.7", "X-Forwarded-Proto": "https"}


class Granian(Server):
    """granian with two processes of six threads, behind one proxy."""

    module = ("nexus.granian_server",)

    def ask(self, path: str, *chunks: bytes, **headers: str) -> tuple[int, bytes]:
        """Send a GET, or a POST with JSON in chunks without a Content-Length; return status and body."""
        headers["Content-Type"] = "application/json"
        return self.send(Request(self.url(path), iter(chunks) if chunks else None, headers))

    def metric(self, name: str, **labels: str) -> float:
        """Return a metric, summed over all processes."""
        status, page = self.ask("/metrics", Authorization=f"Bearer {TOKEN}")
        assert status == 200
        return Samples(page.decode()).of(name, **labels)


@pytest.fixture
def granian(root: Path, settings: Settings, tmp_path: Path, app: object) -> Iterator[Granian]:
    """granian as in production, with its metrics and its log in the test's directory."""
    pytest.importorskip("granian", reason="the extra `granian` is not installed")
    changes = {"APP_ENV": "production", "TRUSTED_PROXIES": "1", "METRICS_KEY": TOKEN, "LOG_LEVEL": "INFO"}
    with (tmp_path / "log").open("wb") as log:
        server = Granian(root, settings, log, TMPDIR=str(tmp_path), **changes)
        try:
            server.wait()
            while (tmp_path / "log").read_text().count('"Started worker-') < 2:
                time.sleep(0.05)
            yield server
        finally:
            server.process.kill()
            server.process.wait()


def counting_processes(directory: Path) -> set[int]:
    """Return the processes that have written counters."""
    return {int(file.stem.rpartition("_")[2]) for file in directory.glob("nexus-metrics-*/counter_[0-9]*.db")}


def until_it_refuses_connections(server: Server) -> None:
    """Return when both processes have stopped listening."""
    with suppress(ConnectionRefusedError):
        while True:
            socket.create_connection(("127.0.0.1", server.port)).close()
            time.sleep(0.05)


def test_granian_serves_and_shuts_down_as_gunicorn_does(
    granian: Granian, settings: Settings, seller: Person, tmp_path: Path
) -> None:
    product = seller.product()["id"]

    # Chunked bodies up to our limit; the client's address and scheme as the proxy reported them.
    assert granian.ask("/api/auth/register", *[CHUNK] * 5)[0] == 413
    own = f"https://127.0.0.1:{granian.port}"
    status, body = granian.ask("/api/auth/register", ACCOUNT[:9], ACCOUNT[9:], **FORWARDED, Origin=own)
    assert status == 201
    bearer = {"Authorization": f"Bearer {json.loads(body)['token']}"}
    (session,) = json.loads(granian.ask("/api/auth/sessions", **bearer)[1])["sessions"]
    assert session["address"] == "203.0.113.7"
    refresh = {"Cookie": f"refresh={json.loads(body)['refreshToken']}"}
    for origin, expected in (("http" + own.removeprefix("https"), 403), (own, 200)):
        assert granian.ask("/api/auth/refresh", b"{}", **FORWARDED, **refresh, Origin=origin)[0] == expected

    # Counters are summed over all processes, and those of a killed process are kept.
    with ThreadPoolExecutor(8) as crowd:
        responses = list(crowd.map(granian.get, ["/api/products?userId=1"] * 100))
    labels = {"method": "GET", "route": "/api/products", "status": "200"}
    before = granian.metric("nexus_request_seconds_count", **labels)
    assert before == len(responses)
    assert len(counting_processes(tmp_path)) == 2
    killed = counting_processes(tmp_path).pop()
    os.kill(killed, signal.SIGKILL)
    for _ in range(600):
        if killed not in counting_processes(tmp_path):
            break
        time.sleep(0.05)
    assert killed not in counting_processes(tmp_path)
    assert granian.metric("nexus_request_seconds_count", **labels) == before

    # On SIGTERM it answers requests in progress, and leaves no files.
    with ThreadPoolExecutor(1) as buyer:
        with held(settings, f"SELECT * FROM products WHERE id = {product} FOR UPDATE"):
            order = json.dumps({"productId": product, "email": "buyer@example.com"}).encode()
            answer = buyer.submit(granian.ask, "/api/orders", order)
            until_someone_waits(settings)
            granian.process.send_signal(signal.SIGTERM)
            until_it_refuses_connections(granian)
        assert answer.result()[0] == 201
    assert granian.process.wait(timeout=30) == 0
    assert not list(tmp_path.glob("nexus-metrics-*"))
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert all({"at", "level", "logger", "event"} <= line.keys() for line in lines)
    assert {"_granian", "nexus.request"} <= {line["logger"] for line in lines}


def test_a_port_in_use_is_not_shared(root: Path, settings: Settings) -> None:
    pytest.importorskip("granian", reason="the extra `granian` is not installed")
    with socket.socket() as other:
        # granian sets this too, so that the kernel would let both listen.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        started = [sys.executable, "-m", "nexus.granian_server"]
        done = subprocess.run(
            started, cwd=root, env=environment(settings, PORT=port), stderr=-1, text=True, timeout=30
        )

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"PORT {port} cannot be used" in done.stderr
