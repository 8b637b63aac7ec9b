"""The log as an operator reads it: one line per request, nothing private, and no forged lines."""

import json
import logging
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.request import Request

import pytest
from flask import Flask
from hypothesis import example, given
from hypothesis import strategies as st

from nexus import create_app, lines
from nexus.config import Settings
from nexus.db import database
from tests.events import events
from tests.factories import PASSWORD, Person
from tests.faults.conftest import Server

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
LINE = re.compile(r"\S+ (info|warning|error) [\w.]+: .*", re.DOTALL)


def running_server(root: Path, settings: Settings, log: Path, **changes: str) -> Iterator[Server]:
    with log.open("wb") as stderr:
        given = {"LOG_LEVEL": "INFO", "WEB_CONCURRENCY": "1", **changes}
        server = Server(root, settings, stderr, **given)
        try:
            server.wait()
            yield server
        finally:
            server.stop()


def read_log(log: Path) -> list[dict[str, Any]]:
    """Return the log lines of a production server, each of which must be JSON."""
    return [json.loads(line) for line in log.read_text().splitlines()]


def requests(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return events(caplog, "nexus.request")


@pytest.mark.usefixtures("app")
def test_repeated_stop_signals_cause_no_error(root: Path, settings: Settings, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as stderr:
        # Both while a process starts and while it is idle.
        for pause in (0.0, 0.2, 0.4, 1.5):
            server = Server(root, settings, stderr)
            server.wait()
            time.sleep(pause)
            # As a terminal signals all processes, the master its workers, and an impatient user again.
            processes = (*server.workers(), server.process.pid)
            for _ in range(100):
                for process in processes:
                    with suppress(ProcessLookupError):
                        os.kill(process, signal.SIGINT)
                time.sleep(0.002)
            assert server.process.wait(timeout=30) == 0

    assert "Traceback" not in log.read_text()
    assert "exited with code" not in log.read_text()


@pytest.mark.usefixtures("app")
def test_in_production_every_line_is_json_without_private_data(
    root: Path, settings: Settings, seller: Person, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    headers = {"X-Request-Id": "mine-1", "traceparent": TRACE, "Authorization": f"Bearer {seller.token}"}
    for server in running_server(root, settings, log, APP_ENV="production"):
        assert server.send(Request(server.url("/api/orders?email=hush"), headers=headers))[0] == 200
        assert server.post("/api/auth/login", {"email": "a@b.c\n{}", "password": "hush-password"})[0] == 401
        for line in (
            b"GET /api/orders/1?receipt=hush",
            b'{"password": "hush"}',
            GET + b"Cookie token=hush",
            GET + b"Authorization receipt hush",
        ):
            with socket.create_connection(("127.0.0.1", server.port)) as garbage:
                garbage.sendall(line + b"\r\n\r\n")
                assert b" 400 " in garbage.recv(1000)

    entries = read_log(log)
    (mine,) = [line for line in entries if line.get("request") == "mine-1"]
    assert {"at", "ms", "db_ms", "bytes"} <= set(mine)
    assert mine["bytes"] > 20
    expected = {"method": "GET", "route": "/api/orders", "status": 200, "user": seller.id, "queries": 2}
    assert {**mine, **expected, "level": "info", "logger": "nexus.request", "traceparent": TRACE} == mine
    (failed,) = [line for line in entries if line["event"] == "sign_in_failed"]
    assert failed["email"] == "a@b.c\n{}"
    assert {"gunicorn.error", "nexus.security", "nexus.request"} <= {line["logger"] for line in entries}
    assert "A request is refused with 400: Invalid HTTP request line" in {line["event"] for line in entries}
    for private in ("hush", str(seller.token), PASSWORD):
        assert private not in log.read_text()


@pytest.mark.usefixtures("app")
def test_slow_requests_and_queries_are_logged_as_warnings_without_values(
    root: Path, settings: Settings, seller: Person, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    slow = {"APP_ENV": "production", "SLOW_REQUEST_MS": "0", "SLOW_QUERY_MS": "0", "LOG_LEVEL": "WARNING"}
    for server in running_server(root, settings, log, **slow):
        server.get(f"/api/products?userId={seller.id}&q=unlikely")

    entries = [line for line in read_log(log) if line.get("route") != "/healthz"]
    assert {line["level"] for line in entries} == {"warning"}
    query, request = entries
    assert (query["event"], query["request"]) == ("slow query", request["request"])
    assert query["sql"].startswith("SELECT ")
    assert "%(final)s" in query["sql"]
    assert "unlikely" not in query["sql"]
    assert (request["event"], request["queries"]) == ("slow request", 1)


def test_a_streamed_response_is_logged_with_its_full_size(
    seller: Person, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        answer = seller.get("/api/orders.csv")
        size = len(answer.data)
        answer.close()

    (line,) = [one for one in requests(caplog) if one["route"] == "/api/orders.csv"]
    assert (line["bytes"], line["queries"], line["user"]) == (size, 3, seller.id)


def test_a_304_is_logged_with_zero_bytes(stranger: Person, caplog: pytest.LogCaptureFixture) -> None:
    tag = stranger.get("/docs").headers["ETag"]
    with caplog.at_level("INFO"):
        caplog.clear()
        assert stranger.get("/docs", headers={"If-None-Match": tag}).status_code == 304

    assert [line["bytes"] for line in requests(caplog)] == [0]


def test_each_request_is_logged_with_its_own_queries(
    app: Flask, stranger: Person, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        stranger.get("/api/products?userId=1")
        stranger.get("/healthz")
        stranger.get("/nothing/secret@example.com")
        stranger.request("HEAD", "/healthz")
        with database.connection_context():
            database.execute_sql("SELECT 1")

    logged = [(one["route"], one["status"], one["queries"], one["bytes"] > 0) for one in requests(caplog)]
    nothing = ("(no route)", 404, 0, True)
    assert logged == [
        ("/api/products", 200, 1, True),
        ("/healthz", 200, 0, True),
        nothing,
        ("/healthz", 200, 0, False),
    ]
    assert "secret@example.com" not in caplog.text


def test_a_response_keeps_its_request_id_when_logging_fails(app: Flask) -> None:
    failures = iter([OSError("no space left")])

    def fail(_: logging.LogRecord) -> bool:
        for failure in failures:
            raise failure
        return True

    logger = logging.getLogger("nexus.request")
    logger.addFilter(fail)
    try:
        answer = app.test_client().get("/api/products/1", headers={"X-Request-Id": "mine-1"})
    finally:
        logger.removeFilter(fail)

    assert (answer.status_code, answer.headers["X-Request-Id"]) == (500, "mine-1")
    assert answer.get_json()["requestId"] == "mine-1"


def test_any_handler_can_format_the_record_of_a_request(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("nexus.request")
    logger.setLevel(logging.WARNING)
    app.test_client().get("/healthz")
    logger.setLevel(logging.NOTSET)
    app.test_client().get("/healthz")
    (record,) = [record for record in caplog.records if record.name == "nexus.request"]
    usual = logging.getLogger("tests").makeRecord("tests", logging.INFO, "tests.py", 1, "text", (), None)
    assert {*vars(record)} >= {*vars(usual)}
    assert abs(record.created * 1000 % 1000 - record.msecs) < 1
    shown = logging.Formatter("%(asctime)s %(levelno)s %(levelname)s %(name)s %(message)s").format(record)
    assert " 20 INFO nexus.request " in shown


def test_a_query_outside_a_request_is_not_logged_as_slow(
    app: Flask, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    watched = create_app(settings.model_copy(update={"slow_query_ms": 0}))
    watched.test_client().get("/api/products?userId=1")
    with database.connection_context():
        database.execute_sql("SELECT 'a command'")

    (line,) = events(caplog, "nexus.query")
    assert "products" in line["sql"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (TRACE, TRACE),
        (TRACE.upper(), None),
        (f"{TRACE}-more", None),
        (f"ff{TRACE[2:]}", None),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", None),
        (f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01", None),
        ("", None),
    ],
)
def test_only_a_well_formed_traceparent_is_kept(
    stranger: Person, sent: str, kept: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        answer = stranger.get("/healthz", headers={"traceparent": sent})

    assert answer.headers.get("traceparent") == kept
    assert requests(caplog)[0].get("traceparent") == kept


def rendered(*, development: bool, **record: Any) -> str:
    entry = logging.makeLogRecord({"name": "some.package", "levelname": "ERROR", **record})
    return lines.handler(development=development).format(entry)


@given(st.text(st.characters()))
@example("\x7f")
@example("\ud800 and \u2028")
def test_no_text_can_start_a_second_line(text: str) -> None:
    for development in (True, False):
        line = rendered(development=development, msg="%s", args=(text,))
        facts = {"msg": {"event": "sign_in", "email": text}, "_logger": None, "_name": "info"}
        fact = rendered(development=development, **facts)
        assert len(line.splitlines()) == len(fact.splitlines()) == 1
        assert line.isprintable()
        assert fact.isprintable()
        assert LINE.fullmatch(line) or json.loads(line)["event"] == text


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.booleans() | st.none() | st.uuids()))
@example({"large": 2**64, "status": HTTPStatus.OK, "at": datetime(2026, 1, 2, tzinfo=UTC), "kinds": {str}})
def test_a_json_line_equals_that_of_the_json_module(facts: dict[str, Any]) -> None:
    event = {"event": "sign_in", **facts, "exc_info": None}
    line = json.loads(rendered(development=False, msg=dict(event), _logger=None, _name="info"))

    del event["exc_info"]
    assert line.items() >= json.loads(json.dumps(event, default=str)).items()


def test_a_value_cannot_look_like_a_second_field() -> None:
    facts = {"event": "sign_in_failed", "email": "a user=7 'b"}
    line = rendered(development=True, msg=facts, _logger=None, _name="info")

    assert line.endswith(""": sign_in_failed email="a user=7 'b\"""")


def test_an_exception_is_logged_by_type_and_place_and_fully_in_development() -> None:
    try:
        try:
            raise KeyError("Key (email)=(a@b.c) already exists\n\x1b[2Jforged")
        except KeyError as error:
            raise RuntimeError("hush") from error
    except RuntimeError as error:
        failure = {"msg": "unforeseen", "exc_info": (RuntimeError, error, error.__traceback__)}
        production = rendered(development=False, **failure)
        development = rendered(development=True, **failure)

    first, second = json.loads(production)["exception"]
    assert (first["type"], second["type"]) == ("RuntimeError", "KeyError")
    assert "test_log.py" in first["at"][0]
    assert "hush" not in production
    assert "a@b.c" not in production
    assert "RuntimeError: hush" in development
    assert all(line.startswith("    ") for line in development.splitlines()[1:])
    assert "\x1b" not in development


def test_the_development_server_logs_without_colours(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logging.getLogger("werkzeug").info("\x1b[31m\x1b[1mWARNING: mind\x1b[0m\n * Running on %s", "here")

    assert caplog.messages[-1] == "WARNING: mind * Running on here"
