"""`/metrics` over all gunicorn processes, while they start and end."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nexus.config import Settings
from tests.environment import environment
from tests.faults.conftest import Server
from tests.samples import Samples

PATH = "/api/products?userId=1"


@pytest.fixture
def server(root: Path, settings: Settings, tmp_path: Path, app: object) -> Iterator[Server]:
    """gunicorn with two processes, with its counter files in the test's directory; it must remove them."""
    server = Server(root, settings, TMPDIR=str(tmp_path), DATABASE_POOL_SIZE="3")
    try:
        server.wait()
        yield server
    finally:
        server.stop()
        assert not list(tmp_path.glob("nexus-metrics-*"))


def read_metrics(server: Server) -> Samples:
    status, page = server.get("/metrics")
    assert status == 200
    return Samples(page.decode())


def files(directory: Path) -> set[str]:
    """Return the processes that have counter files."""
    return {file.stem.rpartition("_")[2] for file in directory.glob("nexus-metrics-*/*.db")}


def processes(server: Server) -> set[str]:
    """Return the worker processes."""
    children = ["pgrep", "-P", str(server.process.pid)]
    return set(subprocess.run(children, capture_output=True, text=True).stdout.split())


def products(samples: Samples) -> float:
    labels = {"method": "GET", "route": "/api/products", "status": "200"}
    return samples.of("nexus_request_seconds_count", **labels)


def until(server: Server, holds: Callable[[Samples], bool]) -> list[Samples]:
    """Read the metrics, with requests in between, until a condition holds; return everything read."""
    pages = [read_metrics(server)]
    while not holds(pages[-1]):
        assert len(pages) < 1000, pages[-1]
        server.get(PATH)
        time.sleep(0.01)
        pages.append(read_metrics(server))
    return pages


def replace(server: Server) -> None:
    """Kill a worker and wait for its replacement; by then the master has merged its counters."""
    before = processes(server)
    server.kill_worker()
    while not processes(server) - before:
        time.sleep(0.01)


def test_counters_cover_all_processes_and_survive_killed_ones(server: Server, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as crowd:
        for size in (100, 100):
            assert {status for status, _ in crowd.map(server.get, [PATH] * size)} == {200}
            # A process that has not connected yet is not included.
            until(server, lambda samples: samples.of("nexus_pool_size") == 6)
            before = products(read_metrics(server))
            assert before >= size
            replace(server)
            pages = until(server, lambda samples: samples.of("nexus_pool_size") == 6)

            counts = [products(samples) for samples in pages]
            assert counts == sorted(counts)
            assert counts[0] >= before
            assert all(samples.of("nexus_pool_size") <= 6 for samples in pages)
            assert pages[-1].of("nexus_pool_in_use") <= 1

    # Without concurrent reads, so that nothing keeps the master from merging the counters.
    replace(server)
    until(server, lambda samples: samples.of("nexus_pool_size") == 6)
    assert files(tmp_path) == {"ended", *processes(server)}


def test_new_processes_recreate_a_deleted_directory(server: Server, tmp_path: Path) -> None:
    (directory,) = tmp_path.glob("nexus-metrics-*")
    shutil.rmtree(directory)
    for process in processes(server):
        os.kill(int(process), signal.SIGKILL)
    server.wait()

    assert server.get(PATH)[0] == 200
    assert products(read_metrics(server)) == 1


def test_a_failed_start_leaves_no_counters(
    root: Path, server: Server, settings: Settings, tmp_path: Path
) -> None:
    before = list(tmp_path.glob("nexus-metrics-*"))
    command = [sys.executable, "-m", *Server.module]
    given = environment(settings, PORT=str(server.port), TMPDIR=str(tmp_path), LOG_LEVEL="ERROR")

    busy = subprocess.run(command, cwd=root, env=given, check=False)
    checked = subprocess.run([*command, "--check-config"], cwd=root, env=given, check=False)

    assert (busy.returncode, checked.returncode) == (1, 0)
    assert list(tmp_path.glob("nexus-metrics-*")) == before
    assert server.get(PATH)[0] == 200


@pytest.mark.long
def test_the_counters_of_a_killed_master_do_not_affect_another(
    root: Path, settings: Settings, tmp_path: Path, app: object
) -> None:
    killed = Server(root, settings, TMPDIR=str(tmp_path), WEB_CONCURRENCY="1")
    killed.wait()
    killed.get(PATH)
    os.kill(killed.process.pid, signal.SIGKILL)
    killed.process.wait()
    (left,) = tmp_path.glob("nexus-metrics-*")

    server = Server(root, settings, TMPDIR=str(tmp_path), WEB_CONCURRENCY="1")
    server.wait()
    fresh = products(read_metrics(server))
    server.stop()

    assert fresh == 0
    assert list(tmp_path.glob("nexus-metrics-*")) == [left]
