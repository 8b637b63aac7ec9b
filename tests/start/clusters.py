"""Clusters from outside: other processes that use one, what it holds, whether it runs."""

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
