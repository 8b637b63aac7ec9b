"""`/metrics` over all processes of gunicorn, while they come and go."""

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
def counting(root: Path, settings: Settings, tmp_path: Path, app: object) -> Iterator[Server]:
    """gunicorn with two processes, which count in files below the test's directory, and leaves none there."""
    server = Server(root, settings, TMPDIR=str(tmp_path), DATABASE_POOL_SIZE="3")
    try:
        server.wait()
        yield server
    finally:
        server.stop()
        assert not list(tmp_path.glob("nexus-metrics-*"))


def read(server: Server) -> Samples:
    status, page = server.get("/metrics")
    assert status == 200
    return Samples(page.decode())


def files(directory: Path) -> set[str]:
    """Whose files there are."""
    return {file.stem.rpartition("_")[2] for file in directory.glob("nexus-metrics-*/*.db")}


def processes(server: Server) -> set[str]:
    """Those that serve."""
    children = ["pgrep", "-P", str(server.process.pid)]
    return set(subprocess.run(children, capture_output=True, text=True).stdout.split())


def products(samples: Samples) -> float:
    labels = {"method": "GET", "route": "/api/products", "status": "200"}
    return samples.of("nexus_request_seconds_count", **labels)


def until(server: Server, holds: Callable[[Samples], bool]) -> list[Samples]:
    """Read, and ask something of whichever process is there, until it holds; everything that was read."""
    pages = [read(server)]
    while not holds(pages[-1]):
        assert len(pages) < 1000, pages[-1]
        server.get(PATH)
        time.sleep(0.01)
        pages.append(read(server))
    return pages


def replace(server: Server) -> None:
    """Kill a process, and wait for the one in its place; by then the master has moved the counts."""
    before = processes(server)
    server.kill_worker()
    while not processes(server) - before:
        time.sleep(0.01)


def test_counts_are_of_all_processes_and_outlive_the_killed_ones(counting: Server, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as crowd:
        for size in (100, 100):
            assert {status for status, _ in crowd.map(counting.get, [PATH] * size)} == {200}
            # A process that has not connected yet is not among them.
            until(counting, lambda samples: samples.of("nexus_pool_size") == 6)
            before = products(read(counting))
            assert before >= size
            replace(counting)
            pages = until(counting, lambda samples: samples.of("nexus_pool_size") == 6)

            counts = [products(samples) for samples in pages]
            assert counts == sorted(counts)
            assert counts[0] >= before
            assert all(samples.of("nexus_pool_size") <= 6 for samples in pages)
            assert pages[-1].of("nexus_pool_in_use") <= 1

    # While nobody reads, so that nothing keeps the master from moving the counts.
    replace(counting)
    until(counting, lambda samples: samples.of("nexus_pool_size") == 6)
    assert files(tmp_path) == {"ended", *processes(counting)}


def test_processes_begin_and_count_where_the_directory_is_gone(counting: Server, tmp_path: Path) -> None:
    (directory,) = tmp_path.glob("nexus-metrics-*")
    shutil.rmtree(directory)
    for process in processes(counting):
        os.kill(int(process), signal.SIGKILL)
    counting.wait()

    assert counting.get(PATH)[0] == 200
    assert products(read(counting)) == 1


def test_a_start_that_fails_leaves_no_counts(
    root: Path, counting: Server, settings: Settings, tmp_path: Path
) -> None:
    before = list(tmp_path.glob("nexus-metrics-*"))
    command = [sys.executable, "-m", *Server.module]
    given = environment(settings, PORT=str(counting.port), TMPDIR=str(tmp_path), LOG_LEVEL="ERROR")

    busy = subprocess.run(command, cwd=root, env=given, check=False)
    looked = subprocess.run([*command, "--check-config"], cwd=root, env=given, check=False)

    assert (busy.returncode, looked.returncode) == (1, 0)
    assert list(tmp_path.glob("nexus-metrics-*")) == before
    assert counting.get(PATH)[0] == 200


@pytest.mark.long
def test_what_a_killed_master_left_disturbs_no_other(
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
    fresh = products(read(server))
    server.stop()

    assert fresh == 0
    assert list(tmp_path.glob("nexus-metrics-*")) == [left]
