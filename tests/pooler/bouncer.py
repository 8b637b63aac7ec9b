"""A PgBouncer of a test's own, and what its connections to the server look like after use."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest

from nexus.config import Settings
from tests.ports import free_port

PROGRAM = shutil.which("pgbouncer", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin")
needed = pytest.mark.skipif(
    PROGRAM is None, reason="PgBouncer is not on this machine: apt-get install pgbouncer brings it"
)

#: All that a session can leave to the one after it. PgBouncer itself keeps the excepted ones of each client.
STATE = """
SELECT 'setting', name, setting FROM pg_settings
    WHERE source = 'session' AND name NOT IN (
        'application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings')
UNION ALL SELECT 'prepared statement', name, statement FROM pg_prepared_statements
UNION ALL SELECT 'cursor', name, statement FROM pg_cursors WHERE is_holdable
UNION ALL SELECT 'channel', pg_listening_channels(), ''
UNION ALL SELECT 'lock', locktype, objid::text FROM pg_locks
    WHERE pid = pg_backend_pid() AND locktype = 'advisory'
UNION ALL SELECT 'temporary schema', pg_my_temp_schema()::regnamespace::text, ''
    WHERE pg_my_temp_schema() <> 0
"""


class Bouncer:
    """PgBouncer on a free port of 127.0.0.1, before the server of some settings."""

    def __init__(
        self,
        settings: Settings,
        *,
        mode: str = "transaction",
        size: int = 3,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        """Start it with the pool's mode, connections to the server for a database, and TLS or none."""
        assert PROGRAM is not None
        assert settings.direct is not None
        self.size = size
        self.port = free_port()
        server = {
            name: value
            for name, value in settings.direct.parameters.items()
            if name in ("host", "port", "user", "password")
        }
        self._database = settings.direct.parameters["dbname"]
        self._home = Path(tempfile.mkdtemp(prefix="nexus-bouncer-"))
        configuration = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            # Whoever comes is let in as the user below; nobody else can come to this machine's own address.
            "auth_type": "any",
            "pool_mode": mode,
            "default_pool_size": size,
        }
        if certificate:
            configuration["client_tls_sslmode"] = "require"
            for what, file in zip(("cert", "key"), certificate, strict=True):
                configuration[f"client_tls_{what}_file"] = shutil.copy(file, self._home)
        account = _account(server.get("host", ""))
        place = self._home / "pgbouncer.ini"
        lines = [
            "[databases]",
            f"* = {' '.join(f'{name}={_quoted(value)}' for name, value in server.items())}",
        ]
        lines += ["[pgbouncer]", *(f"{name} = {value}" for name, value in configuration.items())]
        place.write_text("\n".join(lines) + "\n")
        if account:
            for path in (self._home, *self._home.iterdir()):
                os.chown(path, account["user"], account["group"])
        # It refuses to run as root.
        with (self._home / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-q", str(place)], cwd=self._home, stdout=subprocess.DEVNULL, stderr=log, **account
            )
        self._wait()

    def _wait(self) -> None:
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
                return
            assert self._process.poll() is None, (self._home / "log").read_text()
            time.sleep(0.02)

    def url(self, database: str | None = None, *, query: str = "?pgbouncer=true", host: str = "") -> str:
        """The URL of a database, by default that of the settings."""
        name = quote(database or self._database, safe="")
        return f"postgresql://anyone@{host or '127.0.0.1'}:{self.port}/{name}{query}"

    def stop(self) -> None:
        """Stop it at once."""
        self._process.terminate()
        self._process.wait(timeout=30)
        shutil.rmtree(self._home)

    def served(self) -> int:
        """How many transactions it has served, of all databases together."""
        return sum(int(row["xact_count"]) for row in self._shown("STATS_TOTALS"))

    def clients(self) -> int:
        """How many connections clients have to the database of the settings."""
        return sum(row["database"] == self._database for row in self._shown("CLIENTS"))

    def _shown(self, what: str) -> list[dict[str, Any]]:
        with closing(psycopg2.connect(self.url("pgbouncer", query=""))) as console:
            console.autocommit = True
            cursor = console.cursor()
            cursor.execute(f"SHOW {what}")
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def left_behind(self) -> list[tuple[str, str, str]]:
        """What clients have left in the sessions of the server, each of which is looked into."""
        with ExitStack() as stack:
            # A transaction keeps its server connection, so that as many at once are all there are.
            clients = [
                stack.enter_context(closing(psycopg2.connect(self.url(query="")))) for _ in range(self.size)
            ]
            found: list[tuple[str, str, str]] = []
            processes = set()
            for client in clients:
                cursor = client.cursor()
                cursor.execute("SELECT pg_backend_pid()")
                processes |= set(cursor.fetchall())
                cursor.execute(STATE)
                found += cursor.fetchall()
            assert len(processes) == self.size
            return found


def _account(host: str) -> dict[str, Any]:
    """As whom to run when we are root: whoever the server's socket is for, else nobody."""
    if os.geteuid() != 0:
        return {}
    owner = Path(host).stat().st_uid if host.startswith("/") else 0
    entry = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
