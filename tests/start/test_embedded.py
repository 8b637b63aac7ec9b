"""The embedded PostgreSQL: who holds it, what survives which kill, and what it leaves alone."""

import os
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from nexus.embedded import Cluster
from tests.start.clusters import STAY, ask, end, runs, server, stops, user

PROC = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="this system has no /proc")


def test_what_was_written_is_there_after_a_stop(home: Path) -> None:
    cluster = Cluster(home)
    ask(cluster.url(), "CREATE TABLE kept AS SELECT 'ИВАН' AS name")
    assert ask(cluster.url(), "SHOW fsync") == "on"
    cluster.stop()
    assert not runs(home)
    assert ask(cluster.url(), "SELECT lower(name) FROM kept") == "иван"


def test_whoever_never_used_it_has_nothing_to_wait_for(home: Path) -> None:
    home.mkdir()
    Cluster(home).stop()
    assert list(home.iterdir()) == []


def test_it_listens_on_no_network_and_lets_nobody_else_in(cluster: Cluster, home: Path) -> None:
    url = cluster.url()
    assert ask(url, "SHOW listen_addresses") == ""
    sockets = Path(ask(url, "SHOW unix_socket_directories"))
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert stat.S_IMODE((sockets / ".s.PGSQL.5432").stat().st_mode) == 0o700
    assert ask(url, "SHOW fsync") == "off"


def test_it_stops_after_its_last_user_however_that_one_died(cluster: Cluster, home: Path) -> None:
    cluster.start()
    other = user(home)
    assert other.stdout
    assert other.stdout.readline()
    cluster.stop()
    assert runs(home)
    end(other)
    assert stops(home)


def test_starters_at_once_share_one_server(home: Path) -> None:
    users = [user(home) for _ in range(4)]
    starts = {process.stdout.readline() for process in users if process.stdout}
    assert len(starts) == 1
    assert starts != {""}
    for process in users:
        end(process, by=signal.SIGTERM)
    assert stops(home)


def test_stopping_and_starting_at_once_ends_with_a_server(cluster: Cluster, home: Path) -> None:
    for _ in range(4):
        leaving = user(home, "")
        leaving.communicate(timeout=30)
        # The keeper is about to stop the server, or does so right now.
        assert ask(cluster.url(), "SELECT 1") == "1"
        cluster.stop()
        assert not runs(home)


@PROC
def test_a_fork_goes_on_holding(cluster: Cluster, home: Path) -> None:
    forking = user(
        home, "import os\nif os.fork(): cluster.stop(); print('parent', flush=True); os._exit(0)\n" + STAY
    )
    assert forking.stdout
    forking.stdout.readline()
    assert forking.stdout.readline() == "parent\n"
    forking.stdout.close()
    forking.wait(timeout=30)
    assert ask(cluster.url(), "SELECT 1") == "1"
    cluster.stop()
    assert runs(home)
    for process in Path("/proc").glob("[0-9]*"):
        if str(home).encode() in _command(process) and _command(process).split(b"\0")[1:2] == [b"-c"]:
            os.kill(int(process.name), signal.SIGKILL)
    assert stops(home)


def test_after_the_server_was_killed_it_starts_again(home: Path) -> None:
    cluster = Cluster(home)
    ask(cluster.url(), "CREATE TABLE kept AS SELECT 7 AS number")
    os.kill(server(home), signal.SIGKILL)
    # While the first user, and so its keeper, is still there.
    second = Cluster(home)
    assert ask(second.url(), "SELECT number FROM kept") == "7"
    cluster.stop()
    second.stop()
    assert not runs(home)


@PROC
def test_a_server_whose_keeper_was_killed_gets_another(cluster: Cluster, home: Path) -> None:
    cluster.start()
    number = server(home)
    for process in Path("/proc").glob("[0-9]*"):
        if b"nexus.embedded\0" + os.fsencode(home) in _command(process):
            os.kill(int(process.name), signal.SIGKILL)
            break
    else:
        pytest.fail("no keeper")
    cluster.stop()
    assert runs(home)
    cluster.start()
    assert server(home) == number
    cluster.stop()
    assert not runs(home)


@PROC
def test_a_stale_pid_file_may_name_another_process(cluster: Cluster, home: Path) -> None:
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


def test_an_interrupted_initdb_is_done_again(cluster: Cluster, home: Path) -> None:
    cluster.start()
    cluster.stop()
    # As a kill leaves it: half of the files, under the name of what is not finished.
    (home / "data").rename(home / "data.new")
    (home / "data.new" / "PG_VERSION").unlink()
    assert ask(cluster.url(), "SELECT 1") == "1"
    assert not (home / "data.new").exists()


def test_a_start_that_is_interrupted_leaves_no_server(home: Path) -> None:
    for delay in (0.2, 0.5, 0.8):
        process = user(home)
        time.sleep(delay)
        end(process)
        cluster = Cluster(home, durable=False)
        cluster.start()
        cluster.stop()
        assert not runs(home)


def test_the_environment_does_not_mislead_it(home: Path) -> None:
    variables = {
        "PGHOST": "/nowhere",
        "PGPORT": "1",
        "PGDATA": "/nowhere",
        "PGUSER": "nobody",
        "LC_ALL": "xx",
    }
    process = user(home, "", **variables)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
