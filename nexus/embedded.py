"""The PostgreSQL that comes as a Python package: who uses it, how it starts and how it stops.

A server is shared by every process that asks for it and stops after the last of them, however that one
died: each user holds a shared lock on a file, which the kernel takes back from the dead, and a keeper,
a small process of its own, waits for the exclusive lock on that file and then stops the server.
"""

import os
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH
from pathlib import Path
from urllib.parse import quote

from nexus.embedded_home import ELSEWHERE, EmbeddedError, Home, environment

ROOT = Path(__file__).resolve().parent.parent
PORT = 5432
#: Seconds that stop() waits for the server.
PATIENCE = 10.0
#: Without these a crash may lose the data, which tests can afford.
HASTE = dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes"), "off")

__all__ = ["Cluster", "EmbeddedError", "release", "url"]


def url() -> str:
    """The libpq URL of the checkout's own database, which runs for as long as this process lives."""
    return _OWN.url()


def release() -> None:
    """Give up this process's hold; when it was the last one, wait up to ten seconds for the stop."""
    _OWN.stop()


class Cluster:
    """One PostgreSQL in a directory of its own, reached through a unix socket."""

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        """Take the directory, and whether committed rows must survive a power cut."""
        self._home = Home(home)
        self._durable = durable
        self._hold: int | None = None
        self._databases: set[str] = set()
        self._mutex = threading.RLock()

    def url(self, database: str = "nexus") -> str:
        """Start what is not running, make the database where it is missing, return its libpq URL."""
        with self._mutex, _told():
            self.start()
            if database not in self._databases:
                self._ensure(database)
                self._databases.add(database)
            return self._url(database)

    def start(self) -> None:
        """Hold the server for as long as this process and its forks live; it runs when this returns."""
        with self._mutex, _told():
            if self._hold is not None:
                return
            self._home.settle()
            self._hold = self._home.lock("users.lock", LOCK_SH)
            try:
                # Whoever is starting the server holds this lock until it answers.
                with self._home.locked("start.lock", LOCK_EX):
                    ready = self._kept() and self._answers()
                if not ready:
                    self._call_keeper()
            except BaseException:
                self._let_go()
                raise

    def _kept(self) -> bool:
        """Whether a keeper watches; to be asked under start.lock, where none can be about to."""
        try:
            os.close(self._home.lock("keeper.lock", LOCK_EX | LOCK_NB))
        except BlockingIOError:
            return True
        return False

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
            client.settimeout(5)
            client.connect(str(self._home.sockets() / f".s.PGSQL.{PORT}"))
            return True
        return False

    def _call_keeper(self) -> None:
        # In a session of its own, for a Ctrl-C is not meant for it. When we are interrupted it goes on
        # alone, finds no user and stops what it started.
        command = [sys.executable, "-m", "nexus.embedded", str(self._home.path)]
        keeper = subprocess.Popen(  # noqa: S603 - our own interpreter and module.
            command if self._durable else [*command, "hasty"],
            cwd=ROOT,
            env=environment(),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        _, complaint = keeper.communicate()
        if keeper.returncode:
            raise EmbeddedError(_reason(complaint.decode(errors="replace")))

    def _ensure(self, database: str) -> None:
        # The keeper runs this module as well, and does without the driver.
        import psycopg2
        from psycopg2 import errors, sql

        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                connection = psycopg2.connect(self._url("postgres"))
                break
            except psycopg2.OperationalError as error:
                # It answers from the first moment, while it still recovers from a crash.
                if time.monotonic() > deadline:
                    raise EmbeddedError(f"the embedded PostgreSQL: {_reason(str(error))}") from None
                time.sleep(0.1)
                if not self._answers():
                    # It was killed just after we looked.
                    self._call_keeper()
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT FROM pg_database WHERE datname = %s", (database,))
                if cursor.rowcount == 0:
                    with suppress(errors.DuplicateDatabase, errors.UniqueViolation):
                        cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        finally:
            connection.close()

    def _url(self, database: str) -> str:
        sockets = quote(os.fsencode(self._home.sockets()), safe="")
        # The port is named lest PGPORT of the environment counts.
        return f"postgresql://postgres@{sockets}:{PORT}/{quote(database, safe='')}"

    def stop(self) -> None:
        """Give up the hold; unless others use the server, wait up to ten seconds until it has stopped."""
        with self._mutex:
            if self._let_go():
                self._see_it_stop()

    def _see_it_stop(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self._home.path.exists() and self._stopping() and time.monotonic() < deadline:
            time.sleep(0.02)

    def _let_go(self) -> bool:
        """Give up the hold; whether there was one."""
        # Closed and not unlocked: a fork's copy of the descriptor goes on holding.
        hold, self._hold = self._hold, None
        self._databases.clear()
        if hold is not None:
            os.close(hold)
        return hold is not None

    def _stopping(self) -> bool:
        """Whether a keeper is alive although nobody holds the server."""
        with self._home.locked("start.lock", LOCK_EX):
            if not self._kept():
                return False
        with suppress(BlockingIOError), self._home.locked("users.lock", LOCK_EX | LOCK_NB):
            return True
        # A refused shared lock means that the keeper holds the exclusive one.
        with suppress(BlockingIOError), self._home.locked("users.lock", LOCK_SH | LOCK_NB):
            return False
        return True

    def remove(self) -> None:
        """Stop the server and delete its data."""
        with self._mutex:
            self._let_go()
            self._see_it_stop()
            self._home.remove()

    def keep(self) -> None:
        """Be the keeper: start the server, let the caller go on, stop the server after its last user."""
        home = self._home
        home.settle()
        with home.locked("start.lock", LOCK_EX):
            home.settle_sockets()
            programs = home.programs()
            if not self._answers():
                self._initialise(programs)
                self._launch(programs)
            try:
                keeper = home.lock("keeper.lock", LOCK_EX | LOCK_NB)
            except BlockingIOError:
                # The keeper of a server that was killed still waits, and keeps this server too.
                return
        if os.fork():
            return
        # The caller reads our standard error until nobody has it open.
        os.dup2(os.open(os.devnull, os.O_RDWR), 2)
        os.chdir("/")
        users = home.lock("users.lock", LOCK_EX)
        if self._answers():
            home.run(programs / "pg_ctl", "stop", "-D", "data", "-m", "fast")
        # In this order: a user who comes in next must not take us for a keeper that still watches.
        os.close(keeper)
        os.close(users)

    def _initialise(self, programs: Path) -> None:
        data, fresh = self._home.path / "data", self._home.path / "data.new"
        if data.exists():
            return
        # Under another name first: what has the real one is whole.
        shutil.rmtree(fresh, ignore_errors=True)
        # PostgreSQL's own C.UTF-8 is the same on every system; the bare C knows ASCII letters only.
        locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8")
        more = () if self._durable else ("--no-sync",)
        done = self._home.run(
            programs / "initdb", "-D", fresh.name, "-U", "postgres", "--auth=trust", *locale, *more
        )
        if done.returncode:
            raise EmbeddedError(f"the embedded PostgreSQL cannot be made: {_reason(done.stderr)}")
        fresh.rename(data)

    def _launch(self, programs: Path) -> None:
        data = self._home.path / "data"
        _forget_the_dead(data / "postmaster.pid", data)
        _forget_the_dead(self._home.sockets() / f".s.PGSQL.{PORT}.lock", data)
        # Given at every start rather than written down, so that a checkout may be moved.
        settings = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(self._home.sockets()),
            "unix_socket_permissions": "0700",
        } | ({} if self._durable else HASTE)
        options = shlex.join(part for pair in settings.items() for part in ("-c", "=".join(pair)))
        log = self._home.path / "log"
        deadline = time.monotonic() + PATIENCE
        while True:
            log.unlink(missing_ok=True)
            done = self._home.run(
                programs / "pg_ctl", "start", "-w", "-D", "data", "-l", log.name, "-o", options
            )
            if done.returncode == 0:
                return
            said = log.read_text(errors="replace") if log.exists() else done.stderr
            # A killed server's children need a moment to notice.
            if "still in use" not in said or time.monotonic() > deadline:
                raise EmbeddedError(f"the embedded PostgreSQL does not start: {_reason(said)} ({log})")
            time.sleep(0.2)


def _forget_the_dead(file: Path, data: Path) -> None:
    """Remove a stale lock file whose PID now belongs to another process or a zombie.

    PostgreSQL looks at the number alone, and then refuses to start.
    """
    with suppress(OSError, ValueError, IndexError):
        process = Path("/proc", str(int(file.read_text().split()[0])))
        if process.exists() and not _works_in(process, data):
            file.unlink()


def _works_in(process: Path, data: Path) -> bool:
    """Whether that is a server's process: its working directory is the data's; a zombie has none."""
    try:
        return (process / "cwd").samefile(data)
    except FileNotFoundError:
        return False


def _reason(text: str) -> str:
    """The line of a program's output that says why: the first one marked so, or else the last."""
    lines = text.strip().splitlines() or ["it gave no reason"]
    marked = [line for line in lines if any(mark in line for mark in ("FATAL:", "ERROR:", "error:"))]
    return (marked or lines[-1:])[0].strip()


@contextmanager
def _told() -> Iterator[None]:
    """Turn what the system refuses into one line that names the file."""
    try:
        yield
    except OSError as error:
        raise EmbeddedError(f"the embedded PostgreSQL: {error}: mend that, {ELSEWHERE}") from None


_OWN = Cluster(ROOT / ".nexus" / "postgres")

if __name__ == "__main__":
    try:
        with _told():
            Cluster(Path(sys.argv[1]), durable=sys.argv[2:] != ["hasty"]).keep()
    except EmbeddedError as problem:
        sys.exit(str(problem))
