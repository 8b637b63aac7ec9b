"""Workers and masters that are replaced, stopped or killed while clients send requests."""

import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nexus.config import Settings
from tests.faults.conftest import Server
from tests.faults.good_clients import Load
from tests.sql import query

#: Clients with a keep-alive connection, and clients with a new connection per request.
BUSY: list[float | None] = [0.005, 0.005, 0.005, None, None, None]

PLACED = "SELECT count(*) FROM orders WHERE product_id = %s"


@contextmanager
def serving(root: Path, settings: Settings, **changes: str) -> Iterator[Server]:
    """Run a server that the test itself stops."""
    server = Server(root, settings, **changes)
    try:
        server.wait()
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def replace_workers(server: Server) -> None:
    """Reload, and wait until all workers have been replaced."""
    old = server.workers()
    server.process.send_signal(signal.SIGHUP)
    while not (new := server.workers()) or new & old:
        time.sleep(0.05)


def test_no_request_fails_while_workers_are_replaced(shop: Server) -> None:
    with Load(shop.port, BUSY) as load:
        replace_workers(shop)

    assert set(load.counts) == {200}, load.counts


def test_each_order_is_placed_once_and_answered_while_workers_are_replaced(
    shop: Server, settings: Settings
) -> None:
    product = shop.offer()
    order = {"productId": product, "email": "buyer@example.com"}
    with Load(shop.port, [0.001] * 12, order=order) as load:
        for _ in range(2):
            replace_workers(shop)

    assert set(load.counts) == {201}, load.counts
    assert query(settings, PLACED, product) == [(load.counts[201],)]


@pytest.mark.long
def test_no_request_fails_in_ten_rolling_restarts_with_idle_connections(
    shop: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    with Load(shop.port, [*BUSY, 1.0, 2.5, 3.0, 4.0, 5.0, 7.0]) as load:
        for _ in range(10):
            replace_workers(shop)

    with capsys.disabled():
        sys.stdout.write(f"\nten restarts: {dict(load.counts)}\n")
    assert set(load.counts) == {200}, load.counts


def test_accepted_connections_are_answered_when_the_service_stops(
    shop: Server, root: Path, settings: Settings
) -> None:
    with serving(root, settings) as server, Load(server.port, BUSY) as load:
        while load.counts[200] < 50:
            time.sleep(0.01)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=30) == 0

    # The kernel may complete a connection between the last accept and the close, and then resets it.
    assert load.counts.pop("ConnectionResetError", 0) <= 1, load.counts
    assert set(load.counts) == {200, "ConnectionRefusedError"}, load.counts


def test_a_killed_worker_loses_only_its_requests_in_progress(shop: Server) -> None:
    with Load(shop.port, BUSY) as load:
        shop.kill_worker()
        before = load.counts[200]
        while load.counts[200] < before + 200:
            time.sleep(0.01)

    assert load.counts.total() - load.counts[200] <= len(BUSY), load.counts
    assert set(load.counts) <= {200, "ConnectionResetError", "RemoteDisconnected", "IncompleteRead"}


@pytest.mark.long
def test_the_workers_of_a_killed_master_stop(shop: Server, root: Path, settings: Settings) -> None:
    with serving(root, settings) as server:
        workers = server.workers()
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as idle:
            os.kill(server.process.pid, signal.SIGKILL)
            assert idle.recv(1) == b""
        while any(Path(f"/proc/{pid}").exists() for pid in workers):
            time.sleep(0.05)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port))


def test_a_reload_loads_new_code(shop: Server, root: Path, settings: Settings, tmp_path: Path) -> None:
    shutil.copytree(root / "nexus", tmp_path / "nexus", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "wsgi.py", tmp_path)
    with serving(tmp_path, settings, WEB_CONCURRENCY="1") as server:
        assert server.post("/api/auth/login", {"email": "somebody@test.com"})[0] == 400
        # A module that the master has imported, too.
        limits = tmp_path / "nexus" / "limits.py"
        limits.write_text(limits.read_text().replace("262_144", "10"))
        replace_workers(server)
        assert server.post("/api/auth/login", {"email": "somebody@test.com"})[0] == 413
