"""PostgreSQL servers of the suite's own: as durable as in earnest, on TCP, and broken at will."""

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
#: An ordinary role: no place reserved for the mighty is its, and its limits are what the service sets.
ROLE = (f"CREATE ROLE {DATABASE} LOGIN", f"CREATE DATABASE {DATABASE} OWNER {DATABASE}")


def system_programs() -> Path | None:
    """Where the newest PostgreSQL of the system has its programs."""
    found = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    return max((path.parent for path in found), key=lambda path: int(path.parent.name), default=None)


class Postgres:
    """One server, with its data in a home, or in another place that its account may write into."""

    def __init__(
        self, home: Path, settings: dict[str, str], *, programs: Path | None, data: Path | None = None
    ) -> None:
        """Take the home, settings of the server, programs (None: the embedded ones) and a place for data."""
        self.home = Home(home)
        self.home.settle()
        self.programs = programs or self.home.programs()
        self.data = data or home.resolve() / "data"
        self.port = free_port()
        self.settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            # File by file takes seconds after each crash.
            "recovery_init_sync_method": "syncfs",
        } | settings

    def run(self, program: str, *words: str) -> None:
        """Run one of PostgreSQL's programs, which must succeed."""
        done = self.home.run(self.programs / program, *words)
        assert done.returncode == 0, f"{program} {shlex.join(words)}: {done.stderr}{self.log()}"

    def make(self) -> None:
        """Make the server, start it, and make the application's role and database."""
        how = "--auth=trust --encoding=UTF8 --locale=C.UTF-8 --wal-segsize=1 --no-sync"
        self.run("initdb", "-D", str(self.data), "-U", "postgres", *how.split())
        self.start()
        for statement in ROLE:
            self.ask(statement, database="postgres")

    def copy(self, home: Path, settings: dict[str, str]) -> "Postgres":
        """A standby of this server, made by a base backup and streaming."""
        standby = Postgres(home, settings, programs=self.programs)
        source = f"host=127.0.0.1 port={self.port} user=postgres application_name=standby"
        standby.run("pg_basebackup", "-D", str(standby.data), "-d", source, "-R", "-c", "fast")
        standby.start()
        return standby

    def start(self) -> None:
        """Start it; it answers when this returns."""
        options = shlex.join(part for pair in self.settings.items() for part in ("-c", "=".join(pair)))
        self.run("pg_ctl", "start", "-w", "-t", "120", "-D", str(self.data), "-l", "log", "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """Stop it in one of pg_ctl's ways; the processes are gone when this returns."""
        self.run("pg_ctl", "stop", "-w", "-D", str(self.data), "-m", mode)

    def promote(self) -> None:
        """Make a primary of a standby."""
        self.run("pg_ctl", "promote", "-w", "-D", str(self.data))

    def version(self) -> str:
        """What it is, as 18.1."""
        ((version,),) = self.ask("SHOW server_version")
        return str(version).split()[0]

    def log(self) -> str:
        """The end of what it wrote into its log."""
        file = self.home.path / "log"
        return file.read_text(errors="replace")[-2000:] if file.exists() else ""

    def postmaster(self) -> int | None:
        """The number of its first process; None when it does not run."""
        try:
            process = int((self.data / "postmaster.pid").read_text().split()[0])
            # The number of one that was killed may be another's by now.
            return process if Path(f"/proc/{process}/cwd").samefile(self.data) else None
        except FileNotFoundError:
            return None

    def family(self) -> list[int]:
        """Its processes, the first one last; none when it does not run."""
        first = self.postmaster()
        return [*children(first), first] if first else []

    def kill(self) -> None:
        """End the first process by -9; the others notice, and are gone when this returns."""
        family = self.family()
        os.kill(family[-1], signal.SIGKILL)
        while any(alive(process) for process in family):
            time.sleep(0.02)
        # While the corpse is listed, PostgreSQL would take it for a server that runs.
        (self.data / "postmaster.pid").unlink()

    def remove(self) -> None:
        """Stop it, whatever state it is in, and delete the data."""
        for process in self.family():
            # One that a test has stopped obeys no other signal.
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
        self.home.run(self.programs / "pg_ctl", "stop", "-D", str(self.data), "-m", "immediate")
        shutil.rmtree(self.data, ignore_errors=True)
        self.home.remove()

    def url(self, *others: "Postgres", more: str = "") -> str:
        """The application's URL of this server and others."""
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in (self, *others))
        return f"postgresql://{DATABASE}@{hosts}/{DATABASE}{more}"

    @contextmanager
    def session(self, *, database: str = DATABASE, user: str = "postgres") -> Iterator[Any]:
        """A cursor of a session of its own, in autocommit; the superuser's unless told otherwise."""
        where = {"host": "127.0.0.1", "port": self.port, "user": user, "dbname": database}
        with closing(psycopg2.connect(**where)) as connection:  # type: ignore[call-overload]
            connection.autocommit = True
            yield connection.cursor()

    def ask(self, sql: str, *values: Any, database: str = DATABASE) -> list[Any]:
        """Run one statement as the superuser, and answer its rows."""
        with self.session(database=database) as cursor:
            cursor.execute(sql, values or None)
            return list(cursor.fetchall()) if cursor.description else []


def children(process: int) -> list[int]:
    """The processes that this one has started and that still run."""
    try:
        return [int(text) for text in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except FileNotFoundError:
        return []


def alive(process: int) -> bool:
    """Whether a process runs; one that is dead and still listed does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
