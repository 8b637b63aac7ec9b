"""The embedded PostgreSQL: its users, its recovery after kills, and its isolation."""

import os
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from nexus.embedded import Cluster
from tests.start.clusters import STAY, ask, end, is_running, server_pid, start_user, stops

PROC = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="this system has no /proc")


def test_data_is_kept_after_a_stop(home: Path) -> None:
    cluster = Cluster(home)
    ask(cluster.url(), "CREATE TABLE kept AS SELECT 'ИВАН' AS name")
    assert ask(cluster.url(), "SHOW fsync") == "on"
    cluster.stop()
    assert not is_running(home)
    assert ask(cluster.url(), "SELECT lower(name) FROM kept") == "иван"


def test_stopping_an_unused_cluster_does_nothing(home: Path) -> None:
    home.mkdir()
    Cluster(home).stop()
    assert list(home.iterdir()) == []


def test_it_listens_only_on_a_private_socket(cluster: Cluster, home: Path) -> None:
    url = cluster.url()
    assert ask(url, "SHOW listen_addresses") == ""
    sockets = Path(ask(url, "SHOW unix_socket_directories"))
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert stat.S_IMODE((sockets / ".s.PGSQL.5432").stat().st_mode) == 0o700
    assert ask(url, "SHOW fsync") == "off"


def test_it_stops_after_its_last_user_even_if_that_was_killed(cluster: Cluster, home: Path) -> None:
    cluster.start()
    other = start_user(home)
    assert other.stdout
    assert other.stdout.readline()
    cluster.stop()
    assert is_running(home)
    end(other)
    assert stops(home)


def test_concurrent_starts_share_one_server(home: Path) -> None:
    users = [start_user(home) for _ in range(4)]
    starts = {process.stdout.readline() for process in users if process.stdout}
    assert len(starts) == 1
    assert starts != {""}
    for process in users:
        end(process, by=signal.SIGTERM)
    assert stops(home)


def test_a_start_during_a_stop_ends_with_a_running_server(cluster: Cluster, home: Path) -> None:
    for _ in range(4):
        leaving = start_user(home, "")
        leaving.communicate(timeout=30)
        # The keeper is about to stop the server, or is stopping it.
        assert ask(cluster.url(), "SELECT 1") == "1"
        cluster.stop()
        assert not is_running(home)


@PROC
def test_a_forked_process_keeps_the_server_running(cluster: Cluster, home: Path) -> None:
    forking = start_user(
        home, "import os\nif os.fork(): cluster.stop(); print('parent', flush=True); os._exit(0)\n" + STAY
    )
    assert forking.stdout
    forking.stdout.readline()
    assert forking.stdout.readline() == "parent\n"
    forking.stdout.close()
    forking.wait(timeout=30)
    assert ask(cluster.url(), "SELECT 1") == "1"
    cluster.stop()
    assert is_running(home)
    for process in Path("/proc").glob("[0-9]*"):
        if str(home).encode() in _command(process) and _command(process).split(b"\0")[1:2] == [b"-c"]:
            os.kill(int(process.name), signal.SIGKILL)
    assert stops(home)


def test_a_killed_server_is_started_again(home: Path) -> None:
    cluster = Cluster(home)
    ask(cluster.url(), "CREATE TABLE kept AS SELECT 7 AS number")
    os.kill(server_pid(home), signal.SIGKILL)
    # While the first user, and thus its keeper, still exists.
    second = Cluster(home)
    assert ask(second.url(), "SELECT number FROM kept") == "7"
    cluster.stop()
    second.stop()
    assert not is_running(home)


@PROC
def test_a_killed_keeper_is_replaced(cluster: Cluster, home: Path) -> None:
    cluster.start()
    number = server_pid(home)
    for process in Path("/proc").glob("[0-9]*"):
        if b"nexus.embedded\0" + os.fsencode(home) in _command(process):
            os.kill(int(process.name), signal.SIGKILL)
            break
    else:
        pytest.fail("no keeper")
    cluster.stop()
    assert is_running(home)
    cluster.start()
    assert server_pid(home) == number
    cluster.stop()
    assert not is_running(home)


@PROC
def test_a_stale_pid_file_with_the_pid_of_another_process_is_ignored(cluster: Cluster, home: Path) -> None:
    cluster.start()
    kept = (home / "data" / "postmaster.pid").read_text().splitlines()
    owner = home.stat().st_uid
    cluster.stop()
    alive = subprocess.Popen(["/bin/sleep", "60"], user=owner)
    file = home / "data" / "postmaster.pid"
    file.write_text("\n".join([str(alive.pid), *kept[1:]]) + "\n")
    os.chown(file, owner, -1)
    try:
        assert ask(cluster.url(), "SELECT 1") == "1"
        assert alive.poll() is None
    finally:
        alive.kill()
        alive.wait()


def test_an_interrupted_initdb_is_repeated(cluster: Cluster, home: Path) -> None:
    cluster.start()
    cluster.stop()
    # As after a kill: some of the files, in the temporary folder.
    (home / "data").rename(home / "data.new")
    (home / "data.new" / "PG_VERSION").unlink()
    assert ask(cluster.url(), "SELECT 1") == "1"
    assert not (home / "data.new").exists()


def test_an_interrupted_start_leaves_no_server(home: Path) -> None:
    for delay in (0.2, 0.5, 0.8):
        process = start_user(home)
        time.sleep(delay)
        end(process)
        cluster = Cluster(home, durable=False)
        cluster.start()
        cluster.stop()
        assert not is_running(home)


def test_it_ignores_pg_and_locale_variables(home: Path) -> None:
    variables = {
        "PGHOST": "/nowhere",
        "PGPORT": "1",
        "PGDATA": "/nowhere",
        "PGUSER": "nobody",
        "LC_ALL": "xx",
    }
    process = start_user(home, "", **variables)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
