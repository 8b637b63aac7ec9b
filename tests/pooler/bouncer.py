"""A separate PgBouncer per test, and the state of its server connections after use."""

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

#: All state that a session can leave to the next, except settings that PgBouncer tracks per client.
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
    """PgBouncer on a free port of 127.0.0.1, in front of the server of these settings."""

    def __init__(
        self,
        settings: Settings,
        *,
        mode: str = "transaction",
        size: int = 3,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        """Start it with a pool mode, a number of server connections per database, and optionally TLS."""
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
            # Every client is accepted as the user below: only this machine can reach the loopback address.
            "auth_type": "any",
            "pool_mode": mode,
            "default_pool_size": size,
        }
        if certificate:
            configuration["client_tls_sslmode"] = "require"
            for what, file in zip(("cert", "key"), certificate, strict=True):
                configuration[f"client_tls_{what}_file"] = shutil.copy(file, self._home)
        account = _account(server.get("host", ""))
        path = self._home / "pgbouncer.ini"
        lines = [
            "[databases]",
            f"* = {' '.join(f'{name}={_quoted(value)}' for name, value in server.items())}",
        ]
        lines += ["[pgbouncer]", *(f"{name} = {value}" for name, value in configuration.items())]
        path.write_text("\n".join(lines) + "\n")
        if account:
            for owned in (self._home, *self._home.iterdir()):
                os.chown(owned, account["user"], account["group"])
        # As another user, since it refuses to run as root.
        with (self._home / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-q", str(path)], cwd=self._home, stdout=subprocess.DEVNULL, stderr=log, **account
            )
        self._wait()

    def _wait(self) -> None:
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
                return
            assert self._process.poll() is None, (self._home / "log").read_text()
            time.sleep(0.02)

    def url(self, database: str | None = None, *, query: str = "?pgbouncer=true", host: str = "") -> str:
        """Return the URL of a database, by default that of the settings."""
        name = quote(database or self._database, safe="")
        return f"postgresql://anyone@{host or '127.0.0.1'}:{self.port}/{name}{query}"

    def stop(self) -> None:
        """Stop it at once."""
        self._process.terminate()
        self._process.wait(timeout=30)
        shutil.rmtree(self._home)

    def served(self) -> int:
        """Return the number of transactions it has served in all databases."""
        return sum(int(row["xact_count"]) for row in self._show("STATS_TOTALS"))

    def clients(self) -> int:
        """Return the number of client connections to the database of the settings."""
        return sum(row["database"] == self._database for row in self._show("CLIENTS"))

    def _show(self, what: str) -> list[dict[str, Any]]:
        with closing(psycopg2.connect(self.url("pgbouncer", query=""))) as console:
            console.autocommit = True
            cursor = console.cursor()
            cursor.execute(f"SHOW {what}")
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def left_behind(self) -> list[tuple[str, str, str]]:
        """Return the state that clients have left in any of the server sessions."""
        with ExitStack() as stack:
            # A transaction holds its server connection, so as many transactions as connections reach all.
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
    """Return the user to run as if we are root: the owner of the server's socket directory, or nobody."""
    if os.geteuid() != 0:
        return {}
    owner = Path(host).stat().st_uid if host.startswith("/") else 0
    entry = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
