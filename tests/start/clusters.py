"""Helpers for embedded clusters: processes that use one, queries, and whether its server is running."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg2

from nexus.config import ROOT

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


def start_user(home: Path, code: str = STAY, **variables: str) -> "subprocess.Popen[str]":
    """Start a process that uses the cluster; its first line of output is the server's start time."""
    return subprocess.Popen(
        [sys.executable, "-c", USER + code, str(home)],
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


def server_pid(home: Path) -> int:
    """Return the process id of the running server."""
    return int((home / "data" / "postmaster.pid").read_text().split()[0])


def is_running(home: Path) -> bool:
    """Return whether postmaster.pid exists: PostgreSQL removes it on a clean shutdown."""
    return (home / "data" / "postmaster.pid").exists()


def stops(home: Path) -> bool:
    deadline = time.monotonic() + 10
    while is_running(home) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_running(home)
