"""Sentry and OpenTelemetry, with their real packages over HTTP: what is sent, and what must not be."""

import gzip
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from flask import Flask, Response
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from nexus import create_app
from nexus.config import Settings, load_settings
from nexus.env_file import SettingsError
from tests.factories import Person

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
#: Private parts of a request, which must not be sent.
PRIVATE = ("hush-query", "hush-body", "hush-cookie", "hush-header", "hush-words", "hush-path")


class Receiver(ThreadingHTTPServer):
    """A server that receives POST requests, as Sentry and OpenTelemetry collectors do."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.received: Queue[tuple[str, bytes]] = Queue()

    @property
    def url(self) -> str:
        """Return its URL."""
        return f"http://127.0.0.1:{self.server_port}"

    def next(self) -> tuple[str, bytes]:
        """Wait for the next request; return its path and body."""
        return self.received.get(timeout=60)


class Handler(BaseHTTPRequestHandler):
    """Stores each request in the queue."""

    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.received.put((self.path, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


def broken(**_: Any) -> Response:
    """Raise an exception with a private message."""
    raise RuntimeError("-".join(["hush", "words"]))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A running receiver."""
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


def send(app: Flask) -> int:
    """Send a request with all the private parts; return the status."""
    answer = Person(app, token="hush-header").post(
        "/api/orders/hush-path/receipt?receipt=hush-query",
        {"password": "hush-body"},
        headers={
            "Cookie": "token=hush-cookie",
            "traceparent": f"00-{TRACE}-{SPAN}-01",
            "X-Request-Id": "mine",
        },
    )
    return answer.status_code


@pytest.mark.usefixtures("app")
def test_sentry_gets_the_location_of_an_error_and_no_private_data(
    settings: Settings, receiver: Receiver
) -> None:
    dsn = receiver.url.replace("//", "//key@") + "/1"
    app = create_app(settings.model_copy(update={"sentry_dsn": dsn}))
    # An expected error is not reported.
    assert send(app) == 401
    app.view_functions["api.orders.issue_receipt"] = broken
    assert send(app) == 500
    path, body = receiver.next()
    app.extensions["sentry"].close()

    assert path == "/api/1/envelope/"
    event = json.loads(body.splitlines()[2])
    (error,) = event["exception"]["values"]
    assert error["type"] == "RuntimeError"
    assert error["stacktrace"]["frames"][-1]["function"] == "broken"
    assert event["transaction"] == "POST /api/orders/<reference:order_id>/receipt"
    assert event["tags"] == {"request": "mine"}
    assert event["environment"] == "development"
    assert not [word for word in PRIVATE if word.encode() in body]
    assert not {"request", "user", "breadcrumbs", "modules", "extra"} & set(event)
    assert receiver.received.empty()


@pytest.mark.usefixtures("app")
def test_a_collector_gets_a_span_per_request_in_the_callers_trace(
    settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    app = create_app(settings.model_copy(update={"otel_exporter_otlp_endpoint": receiver.url}))
    app.view_functions["api.orders.issue_receipt"] = broken
    assert send(app) == 500
    path, body = receiver.next()

    assert path == "/v1/traces"
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    (span,) = resource.scope_spans[0].spans
    assert [(one.key, one.value.string_value) for one in resource.resource.attributes] == [
        ("service.name", "nexus")
    ]
    assert (span.name, span.kind) == ("POST /api/orders/<reference:order_id>/receipt", span.SPAN_KIND_SERVER)
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, SPAN)
    assert span.status.code == span.status.STATUS_CODE_ERROR
    assert span.end_time_unix_nano > span.start_time_unix_nano
    attributes = {one.key: one.value for one in span.attributes}
    assert attributes["http.response.status_code"].int_value == 500
    assert attributes["nexus.queries"].int_value == 0
    assert attributes["nexus.request"].string_value == "mine"
    assert set(attributes) == {
        *("http.request.method", "http.route", "http.response.status_code", "http.response.body.size"),
        *("nexus.queries", "nexus.db_ms", "nexus.request"),
    }
    assert not [word for word in PRIVATE if word.encode() in body]


SENTRY = ("SENTRY_DSN", "https://key@sentry.example.com/1", "sentry_sdk", "sentry")
COLLECTOR = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "http://localhost:4318",
    "opentelemetry.exporter.otlp.proto.http",
    "otel",
)


@pytest.mark.parametrize(("variable", "url", "module", "extra"), [SENTRY, COLLECTOR])
def test_a_missing_package_or_invalid_url_is_reported_at_start_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, url: str, module: str, extra: str
) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("APP_ENV=development\n")
    monkeypatch.setenv(variable, url)
    assert getattr(load_settings(dotenv), variable.lower()) == url

    monkeypatch.setenv(variable, "localhost:4318")
    with pytest.raises(
        SettingsError, match=f"^{variable}: must be a URL that begins with https:// or http://$"
    ):
        load_settings(dotenv)

    monkeypatch.setenv(variable, url)
    # As if the package were not installed.
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SettingsError) as caught:
        load_settings(dotenv)
    assert str(caught.value) == (
        f"{variable}: needs packages that are not installed: pip install '.[{extra}]'"
    )
