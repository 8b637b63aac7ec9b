"""`python3 -m nexus` as a user runs it: start, stop, kill, restart, and every refusal in one line."""

import json
import os
import re
import secrets
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from nexus.config import Settings
from tests.ports import free_port
from tests.sql import query

Start = Callable[..., "subprocess.Popen[str]"]
Leftovers = Callable[[Path], list[str]]


@pytest.fixture
def port() -> int:
    return free_port()


def wait_for_banner(process: "subprocess.Popen[str]") -> str:
    """Wait for the banner, and return its curl command."""
    assert process.stdout
    for line in process.stdout:
        if line.startswith("curl "):
            return line
    assert process.stderr
    pytest.fail(process.stderr.read())


def wait_for_signal_handlers(process: "subprocess.Popen[str]") -> None:
    """Wait until the program, rather than the starting Python interpreter, handles signals."""
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text("utf-8")
        caught, blocked = (int(found, 16) for found in re.findall(r"^Sig(?:Cgt|Blk):\s*(\w+)", status, re.M))
        # Until then the bootstrap process runs, which signals end as they do any program.
        has_started = b"nexus.up" in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        if has_started and (caught | blocked) >> signal.SIGTERM - 1 & 1:
            return
        time.sleep(0.01)


def post(url: str, body: dict[str, str]) -> int:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10):
            return True
    except OSError:
        return False


def refused(process: "subprocess.Popen[str]") -> str:
    """Return the single line that a failed start prints."""
    out, stderr = process.communicate(timeout=30)
    assert process.returncode == 1, stderr
    assert out == ""
    lines = [line for line in stderr.splitlines() if "saved APP_ENV=development" not in line]
    assert len(lines) == 1, stderr
    return lines[0]


def test_it_starts_keeps_its_data_and_leaves_no_processes(
    installed: Path, start: Start, leftovers: Leftovers, port: int
) -> None:
    (installed / ".env").write_text("# mine\nCURRENCY=EUR\n")
    (installed / ".env").chmod(0o644)
    address = f"http://127.0.0.1:{port}/api/auth"
    ann = {"email": "ann@example.com", "password": "correct horse"}

    process = start(installed, PORT=str(port))
    curl = wait_for_banner(process)
    assert f"{address}/login" in curl
    body = re.search(r"'(\{.*\})'", curl)
    assert body
    assert post(f"{address}/login", json.loads(body[1])) == 200
    assert post(f"{address}/register", ann) == 201
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in stderr
    assert not leftovers(installed)
    kept = (installed / ".env").read_text()
    assert kept.startswith("# mine\nCURRENCY=EUR\n")
    assert "APP_ENV='development'" in kept
    assert stat.S_IMODE((installed / ".env").stat().st_mode) == 0o600

    # After a kill, workers and PostgreSQL end by themselves, and the next start need not wait for that.
    process = start(installed, PORT=str(port))
    wait_for_banner(process)
    process.kill()
    process.communicate(timeout=30)
    process = start(installed, PORT=str(port))
    wait_for_banner(process)
    assert post(f"{address}/login", ann) == 200
    process.kill()
    process.communicate(timeout=30)
    assert not leftovers(installed)

    process = start(installed, PORT=str(port))
    wait_for_banner(process)
    process.terminate()
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in stderr
    assert not leftovers(installed)


def test_only_a_shop_without_users_is_seeded(
    installed: Path, start: Start, scratch: Settings, port: int
) -> None:
    def shown() -> str:
        process = start(installed, PORT=str(port), DATABASE_URL=str(scratch.database_url))
        assert process.stdout
        begun = next(line for line in process.stdout if line.startswith("API documentation"))
        # The banner is written in one piece.
        process.terminate()
        return begun + process.stdout.read()

    assert "curl" in shown()
    query(scratch, "DELETE FROM products WHERE id = 1")
    assert "curl" in shown()
    query(scratch, "UPDATE users SET email = 'ann@example.com'")
    assert "curl" not in shown()

    assert query(scratch, "SELECT email, products.id FROM users, products") == [("ann@example.com", 2)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_start_stops_it_cleanly(
    installed: Path, start: Start, leftovers: Leftovers, port: int, number: int
) -> None:
    for delay in (0.2, 0.8, 1.6):
        process = start(installed, PORT=str(port))
        wait_for_signal_handlers(process)
        time.sleep(delay)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
        assert process.returncode == 0, stderr
        assert "Traceback" not in stderr
        assert not leftovers(installed)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_it_serves_and_stops_with_closed_streams(
    installed: Path, start: Start, leftovers: Leftovers, port: int, closed: str
) -> None:
    process = start(installed, closed=closed, PORT=str(port))
    while process.poll() is None and not is_ready(port):
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=30)

    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr
    assert not leftovers(installed)


def test_a_signal_within_exec_stops_it_cleanly(installed: Path, port: int) -> None:
    # Dataclasses generate methods with exec.
    (installed / "stopped.py").write_text("""
import dataclasses, os, signal, sys
from nexus import up
def stop(frame, event, _):
    if event == "call" and frame.f_back and frame.f_code.co_filename == "<string>":
        if frame.f_back.f_code.co_filename == dataclasses.__file__:
            os.kill(os.getpid(), signal.SIGTERM)
sys.setprofile(stop)
sys.exit(up.main())
""")
    done = subprocess.run(
        [sys.executable, "-m", "stopped"],
        cwd=installed,
        env={"PATH": os.environ["PATH"], "PORT": str(port)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0
    assert "Nexus is running" not in done.stdout
    assert "Traceback" not in done.stderr


def test_a_busy_port_is_reported(installed: Path, start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        stderr = refused(start(installed, PORT=str(port)))
    assert f"PORT {port} is in use" in stderr
    assert f"PORT={port + 1} python3 -m nexus" in stderr


def test_an_unreachable_database_is_reported(installed: Path, start: Start, port: int) -> None:
    url = f"postgresql://nobody@127.0.0.1:{port}/nowhere"
    stderr = refused(start(installed, PORT=str(port), DATABASE_URL=url))
    assert "DATABASE_URL" in stderr


def test_production_starts_only_with_valid_secrets(installed: Path, start: Start, port: int) -> None:
    url = f"postgresql://nobody@127.0.0.1:{port}/nowhere"
    variables = {"PORT": str(port), "APP_ENV": "production", "DATABASE_URL": url}
    variables["RECEIPT_SECRET_KEY"] = secrets.token_urlsafe(48)
    assert "JWT_SECRET_KEY" in refused(start(installed, **variables))
    assert "JWT_SECRET_KEY" in refused(start(installed, **variables, JWT_SECRET_KEY="secret" * 8))
    assert not (installed / ".env").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_reported(installed: Path, start: Start, port: int) -> None:
    installed.chmod(0o500)
    try:
        assert ".env" in refused(start(installed, PORT=str(port)))
    finally:
        installed.chmod(0o700)
