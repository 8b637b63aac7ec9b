"""`flask studio` on the command line."""

import re
import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest
from flask import Flask
from psycopg2.errors import ReadOnlySqlTransaction

from nexus.cli.studio import read_only
from nexus.config import Settings
from nexus.db.connection import connect
from tests.environment import environment, flask
from tests.ports import free_port
from tests.sql import query

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


def test_the_command_prints_a_link_serves_and_stops_on_ctrl_c(
    app: Flask, root: Path, settings: Settings
) -> None:
    port = free_port()
    command = [sys.executable, "-m", "flask", "studio", "--no-browser", "--port", str(port)]
    with subprocess.Popen(
        command,
        cwd=root,
        env=environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        says, link = process.stdout.readline(), process.stdout.readline().strip()
        taken = flask(root, settings, "studio", "--no-browser", "--port", str(port))
        http = HTTPConnection("127.0.0.1", port, timeout=20)
        http.request("GET", link.partition(str(port))[2])
        entered = http.getresponse()
        entered.read()
        cookie = (entered.headers["Set-Cookie"] or "").partition(";")[0]
        http.request("GET", "/", headers={"Cookie": cookie})
        home = http.getresponse().read().decode()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

    assert "read-only" in says
    assert re.fullmatch(rf"http://127\.0\.0\.1:{port}/open\?key=[\w-]{{43}}", link)
    assert 'href="/tables/orders"' in home
    assert (process.returncode, out, err) == (0, "", "")
    assert taken.returncode == 1
    assert (
        taken.stderr
        == f"Error: port {port} cannot be used (Address already in use): choose another with --port\n"
    )


def test_an_unreachable_database_is_reported_in_one_line(root: Path, settings: Settings) -> None:
    run = flask(root, settings, "studio", "--no-browser", DATABASE_URL=NOWHERE)

    assert run.returncode == 1
    assert run.stderr.startswith("Error: the database cannot be reached: ")
    assert run.stderr.count("\n") == 1


def test_connections_of_a_read_only_studio_cannot_write(app: Flask, settings: Settings) -> None:
    connection = connect(read_only(settings.direct), wait=5)  # type: ignore[arg-type]
    cursor = connection.cursor()

    with pytest.raises(ReadOnlySqlTransaction):
        cursor.execute("UPDATE users SET role = 'admin'")
    connection.close()
    assert query(settings, "SHOW default_transaction_read_only") == [("off",)]
