"""The PostgreSQL that comes as a Python package: how it is shared, started and stopped.

A server is shared by all processes that use it and stops after the last of them, however that one ended:
each user holds a shared lock on a file, which the kernel releases when a process dies, and the keeper, a
small separate process, waits for the exclusive lock on that file and then stops the server.
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
#: A crash may lose data with these, which tests can afford.
HASTE = dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes"), "off")

__all__ = ["Cluster", "EmbeddedError", "release", "url"]


def url() -> str:
    """The libpq URL of the checkout's own database, which runs at least as long as this process."""
    return _OWN.url()


def release() -> None:
    """Stop using the server; if this was its last user, wait up to ten seconds until it has stopped."""
    _OWN.stop()


class Cluster:
    """A PostgreSQL cluster in a directory of its own, reached through a Unix socket."""

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        """Take the directory, and whether committed rows must survive a power failure."""
        self._home = Home(home)
        self._durable = durable
        self._hold: int | None = None
        self._databases: set[str] = set()
        self._mutex = threading.RLock()

    def url(self, database: str = "nexus") -> str:
        """Start the server if it is not running, create a missing database, and return its libpq URL."""
        with self._mutex, _embedded_errors():
            self.start()
            if database not in self._databases:
                self._ensure(database)
                self._databases.add(database)
            return self._url(database)

    def start(self) -> None:
        """Start using the server, for as long as this process and its forks live; it runs on return."""
        with self._mutex, _embedded_errors():
            if self._hold is not None:
                return
            self._home.settle()
            self._hold = self._home.lock("users.lock", LOCK_SH)
            try:
                # A process that is starting the server holds this lock until it answers.
                with self._home.locked("start.lock", LOCK_EX):
                    ready = self._has_keeper() and self._answers()
                if not ready:
                    self._start_keeper()
            except BaseException:
                self._release()
                raise

    def _has_keeper(self) -> bool:
        """Whether a keeper is running; to be called under start.lock, while no other can be starting."""
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

    def _start_keeper(self) -> None:
        # In a session of its own, so that it does not get our Ctrl-C. If we are interrupted, it continues,
        # finds no user and stops the server that it started.
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
        _, output = keeper.communicate()
        if keeper.returncode:
            raise EmbeddedError(_reason(output.decode(errors="replace")))

    def _ensure(self, database: str) -> None:
        # Imported here, since the keeper runs this module too and does not need the driver.
        import psycopg2
        from psycopg2 import errors, sql

        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                connection = psycopg2.connect(self._url("postgres"))
                break
            except psycopg2.OperationalError as error:
                # The socket accepts connections even while the server is still recovering from a crash.
                if time.monotonic() > deadline:
                    raise EmbeddedError(f"the embedded PostgreSQL: {_reason(str(error))}") from None
                time.sleep(0.1)
                if not self._answers():
                    # It was killed just after we checked.
                    self._start_keeper()
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
        # The port is explicit, so that PGPORT in the environment has no effect.
        return f"postgresql://postgres@{sockets}:{PORT}/{quote(database, safe='')}"

    def stop(self) -> None:
        """Stop using the server; unless others use it, wait up to ten seconds until it has stopped."""
        with self._mutex:
            if self._release():
                self._await_stop()

    def _await_stop(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self._home.path.exists() and self._stopping() and time.monotonic() < deadline:
            time.sleep(0.02)

    def _release(self) -> bool:
        """Release the shared lock; return whether there was one."""
        # Closed and not unlocked: a fork's copy of the descriptor keeps the lock.
        hold, self._hold = self._hold, None
        self._databases.clear()
        if hold is not None:
            os.close(hold)
        return hold is not None

    def _stopping(self) -> bool:
        """Whether a keeper is still running although nobody uses the server."""
        with self._home.locked("start.lock", LOCK_EX):
            if not self._has_keeper():
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
            self._release()
            self._await_stop()
            self._home.remove()

    def keep(self) -> None:
        """Be the keeper: start the server, let the caller continue, stop the server after its last user."""
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
                # The keeper of a server that was killed is still waiting, and takes over this one.
                return
        if os.fork():
            return
        # The caller reads our standard error until every copy of it is closed.
        os.dup2(os.open(os.devnull, os.O_RDWR), 2)
        os.chdir("/")
        users = home.lock("users.lock", LOCK_EX)
        if self._answers():
            home.run(programs / "pg_ctl", "stop", "-D", "data", "-m", "fast")
        # In this order: the next user must not mistake us for a running keeper.
        os.close(keeper)
        os.close(users)

    def _initialise(self, programs: Path) -> None:
        data, fresh = self._home.path / "data", self._home.path / "data.new"
        if data.exists():
            return
        # Under a temporary name first: a directory with the final name is complete.
        shutil.rmtree(fresh, ignore_errors=True)
        # PostgreSQL's builtin C.UTF-8 is the same on every system; plain C handles ASCII letters only.
        locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8")
        more = () if self._durable else ("--no-sync",)
        done = self._home.run(
            programs / "initdb", "-D", fresh.name, "-U", "postgres", "--auth=trust", *locale, *more
        )
        if done.returncode:
            raise EmbeddedError(f"the embedded PostgreSQL cannot be created: {_reason(done.stderr)}")
        fresh.rename(data)

    def _launch(self, programs: Path) -> None:
        data = self._home.path / "data"
        _remove_stale_lock(data / "postmaster.pid", data)
        _remove_stale_lock(self._home.sockets() / f".s.PGSQL.{PORT}.lock", data)
        # Passed at every start rather than stored in a file, so that a checkout can be moved.
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
            output = log.read_text(errors="replace") if log.exists() else done.stderr
            # The children of a killed server need a moment to notice.
            if "still in use" not in output or time.monotonic() > deadline:
                raise EmbeddedError(f"the embedded PostgreSQL does not start: {_reason(output)} ({log})")
            time.sleep(0.2)


def _remove_stale_lock(file: Path, data: Path) -> None:
    """Remove a lock file whose PID now belongs to another process or a zombie.

    PostgreSQL checks only whether the PID exists, and would refuse to start.
    """
    with suppress(OSError, ValueError, IndexError):
        process = Path("/proc", str(int(file.read_text().split()[0])))
        if process.exists() and not _runs_in(process, data):
            file.unlink()


def _runs_in(process: Path, data: Path) -> bool:
    """Whether it is a server process: its working directory is the data directory; a zombie has none."""
    try:
        return (process / "cwd").samefile(data)
    except FileNotFoundError:
        return False


def _reason(text: str) -> str:
    """The line of a program's output that gives the reason: the first one marked as an error, or the last."""
    lines = text.strip().splitlines() or ["it gave no reason"]
    marked = [line for line in lines if any(mark in line for mark in ("FATAL:", "ERROR:", "error:"))]
    return (marked or lines[-1:])[0].strip()


@contextmanager
def _embedded_errors() -> Iterator[None]:
    """Turn an OSError into an EmbeddedError of one line that names the file."""
    try:
        yield
    except OSError as error:
        raise EmbeddedError(f"the embedded PostgreSQL: {error}: fix that, {ELSEWHERE}") from None


_OWN = Cluster(ROOT / ".nexus" / "postgres")

if __name__ == "__main__":
    try:
        with _embedded_errors():
            Cluster(Path(sys.argv[1]), durable=sys.argv[2:] != ["hasty"]).keep()
    except EmbeddedError as problem:
        sys.exit(str(problem))
