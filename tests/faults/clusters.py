"""Separate PostgreSQL servers for the tests: fully durable, on TCP, and free to be broken."""

import os
import shlex
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg2

from nexus.embedded_home import Home
from tests.ports import free_port

DATABASE = "nexus"
#: An ordinary role: it has no reserved connections, and only the timeouts that the service sets.
ROLE = (f"CREATE ROLE {DATABASE} LOGIN", f"CREATE DATABASE {DATABASE} OWNER {DATABASE}")


def system_programs() -> Path | None:
    """Return the folder with the programs of the system's newest PostgreSQL."""
    found = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    return max((path.parent for path in found), key=lambda path: int(path.parent.name), default=None)


class Postgres:
    """A server with its data in its home, or in another folder that its account may write to."""

    def __init__(
        self, home: Path, settings: dict[str, str], *, programs: Path | None, data: Path | None = None
    ) -> None:
        """Take the home, the server's settings, its programs (None: the embedded ones) and a data folder."""
        self.home = Home(home)
        self.home.settle()
        self.programs = programs or self.home.programs()
        self.data = data or home.resolve() / "data"
        self.port = free_port()
        self.settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            # Syncing file by file would take seconds after each crash.
            "recovery_init_sync_method": "syncfs",
        } | settings

    def run(self, program: str, *words: str) -> None:
        """Run one of PostgreSQL's programs, and fail if it fails."""
        done = self.home.run(self.programs / program, *words)
        assert done.returncode == 0, f"{program} {shlex.join(words)}: {done.stderr}{self.log()}"

    def make(self) -> None:
        """Create and start the server, and create the application's role and database."""
        options = "--auth=trust --encoding=UTF8 --locale=C.UTF-8 --wal-segsize=1 --no-sync"
        self.run("initdb", "-D", str(self.data), "-U", "postgres", *options.split())
        self.start()
        for statement in ROLE:
            self.ask(statement, database="postgres")

    def copy(self, home: Path, settings: dict[str, str]) -> "Postgres":
        """Create a streaming standby of this server from a base backup."""
        standby = Postgres(home, settings, programs=self.programs)
        source = f"host=127.0.0.1 port={self.port} user=postgres application_name=standby"
        standby.run("pg_basebackup", "-D", str(standby.data), "-d", source, "-R", "-c", "fast")
        standby.start()
        return standby

    def start(self) -> None:
        """Start the server; it accepts connections when this returns."""
        options = shlex.join(part for pair in self.settings.items() for part in ("-c", "=".join(pair)))
        self.run("pg_ctl", "start", "-w", "-t", "120", "-D", str(self.data), "-l", "log", "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """Stop the server in a pg_ctl mode; its processes have ended when this returns."""
        self.run("pg_ctl", "stop", "-w", "-D", str(self.data), "-m", mode)

    def promote(self) -> None:
        """Promote a standby to primary."""
        self.run("pg_ctl", "promote", "-w", "-D", str(self.data))

    def version(self) -> str:
        """Return its version, such as 18.1."""
        ((version,),) = self.ask("SHOW server_version")
        return str(version).split()[0]

    def log(self) -> str:
        """Return the end of its log."""
        file = self.home.path / "log"
        return file.read_text(errors="replace")[-2000:] if file.exists() else ""

    def postmaster(self) -> int | None:
        """Return the process id of the postmaster, or None if it does not run."""
        try:
            process = int((self.data / "postmaster.pid").read_text().split()[0])
            # The pid of a killed one may belong to another process by now.
            return process if Path(f"/proc/{process}/cwd").samefile(self.data) else None
        except FileNotFoundError:
            return None

    def processes(self) -> list[int]:
        """Return its process ids, the postmaster last; an empty list if it does not run."""
        postmaster = self.postmaster()
        return [*children(postmaster), postmaster] if postmaster else []

    def kill(self) -> None:
        """Kill the postmaster with SIGKILL; the other processes have ended too when this returns."""
        processes = self.processes()
        os.kill(processes[-1], signal.SIGKILL)
        while any(alive(process) for process in processes):
            time.sleep(0.02)
        # While the zombie process exists, PostgreSQL would take it for a running server.
        (self.data / "postmaster.pid").unlink()

    def remove(self) -> None:
        """Stop the server, whatever its state, and delete its data."""
        for process in self.processes():
            # A process stopped by a test handles no other signal.
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
        self.home.run(self.programs / "pg_ctl", "stop", "-D", str(self.data), "-m", "immediate")
        shutil.rmtree(self.data, ignore_errors=True)
        self.home.remove()

    def url(self, *others: "Postgres", more: str = "") -> str:
        """Return the application's URL for this server and others."""
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in (self, *others))
        return f"postgresql://{DATABASE}@{hosts}/{DATABASE}{more}"

    @contextmanager
    def session(self, *, database: str = DATABASE, user: str = "postgres") -> Iterator[Any]:
        """Yield a cursor of a new session in autocommit mode, by default the superuser's."""
        where = {"host": "127.0.0.1", "port": self.port, "user": user, "dbname": database}
        with closing(psycopg2.connect(**where)) as connection:  # type: ignore[call-overload]
            connection.autocommit = True
            yield connection.cursor()

    def ask(self, sql: str, *values: Any, database: str = DATABASE) -> list[Any]:
        """Run one statement as the superuser, and return its rows."""
        with self.session(database=database) as cursor:
            cursor.execute(sql, values or None)
            return list(cursor.fetchall()) if cursor.description else []


def children(process: int) -> list[int]:
    """Return the running child processes of a process."""
    try:
        return [int(text) for text in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except FileNotFoundError:
        return []


def alive(process: int) -> bool:
    """Return whether a process is running; a zombie is not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
