"""The cost of a request in Python, by component: `python -m tests.benchmarks.instructions`.

It counts the interpreter's instructions, which other load on the machine does not affect. Time spent in C
code, above all the driver, the database and hashing, is not included.
"""

import io
import json
import logging
import os
import sys
import sysconfig
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import uuid4

from flask import Flask, Response

from nexus import create_app
from nexus.config import ROOT, load_settings
from nexus.db import database
from nexus.metric_files import metric_files
from nexus.serving.answering import TOGETHER
from nexus.wsgi_keys import AFTERWARDS
from tests.benchmarks.peers.contestants import KEYS
from tests.benchmarks.peers.data import cluster, databases
from tests.benchmarks.peers.workload import access_token

REQUESTS = 24
STANDARD = (sysconfig.get_path("stdlib"), "<frozen")
SITE = Path(sysconfig.get_path("purelib"))
#: Our modules and third-party packages, by what they do in a request.
PARTS = {
    "Flask": ("flask", "blinker", "nexus/application.py"),
    "Werkzeug": ("werkzeug",),
    "Peewee": ("peewee", "playhouse"),
    "log": ("nexus/lines.py", "structlog", "nexus/tracing.py"),
    "request accounting": ("nexus/observe.py",),
    "metrics": ("nexus/metrics.py", "nexus/metric_files.py", "prometheus_client"),
    "input": ("pydantic", "email_validator", "idna", "nexus/schemas/fields.py"),
    "representation": ("nexus/schemas",),
    "statements": ("nexus/db/statement.py",),
    "pool and connection": ("nexus/db",),
    # Python generates the methods of a named tuple from source text.
    "models": ("nexus/models", "<string>"),
    "pagination": ("nexus/paging.py",),
    "endpoints": ("nexus/api", "nexus/limits.py"),
    "identity and headers": ("nexus/security", "nexus/proxies.py", "nexus/admin", "jwt"),
}
SHARE = 0.05


def calls() -> dict[str, Callable[[], dict[str, Any]]]:
    """Return the requests, each as a function that creates its WSGI environment."""
    return {
        "list": lambda: wsgi("GET", "/api/products", query="userId=7&limit=20"),
        "product": lambda: wsgi("GET", "/api/products/777"),
        "search": lambda: wsgi("GET", "/api/products", query="q=design&limit=20"),
        "order": lambda: wsgi(
            "POST",
            "/api/orders",
            body=json.dumps({"productId": 777, "email": "buyer@example.com", "name": "Anna"}).encode(),
            HTTP_IDEMPOTENCY_KEY=uuid4().hex,
        ),
        "me": lambda: wsgi("GET", "/api/auth/me", HTTP_AUTHORIZATION=f"Bearer {token}"),
    }


def wsgi(method: str, path: str, *, query: str = "", body: bytes = b"", **headers: str) -> dict[str, Any]:
    """Return the WSGI environment of a request."""
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        **headers,
    }


def count_instructions(app: Any, call: Callable[[], dict[str, Any]]) -> "Counter[str]":
    """Count the instructions of one request, by part, and of what a busy worker does after it."""
    found: Counter[str] = Counter()
    left: list[tuple[Callable[[list[Any]], None], Any]] = []
    environs = [{**call(), AFTERWARDS: lambda *job: left.append(job)} for _ in range(REQUESTS)]

    def trace(frame: FrameType, _: str, __: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        part = part_of(frame)

        def count(_: FrameType, event: str, __: Any) -> Any:
            if event == "opcode":
                found[part] += 1
            return count

        return count

    sys.settrace(trace)
    try:
        for environ in environs:
            make_request(app, environ)
        for first in range(0, len(left), TOGETHER):
            left[first][0]([what for _, what in left[first : first + TOGETHER]])
    finally:
        sys.settrace(None)
    return Counter({part: round(number / REQUESTS) for part, number in found.items()})


def part_of(frame: FrameType | None) -> str:
    """Return the part that a function belongs to; the standard library counts as part of its caller."""
    while frame:
        name = frame.f_code.co_filename
        if not name.startswith(STANDARD) or name.startswith(str(SITE)):
            path = Path(name)
            inside = next((path.relative_to(top) for top in (SITE, ROOT) if path.is_relative_to(top)), path)
            for part, names in PARTS.items():
                if any(f"{inside}/".startswith((f"{one}/", f"{one}.py")) for one in names):
                    return part
            return "other"
        if "/logging/" in name:
            return "log"
        frame = frame.f_back
    return "other"


def make_request(app: Any, environ: dict[str, Any]) -> None:
    """Make a request and consume its response, which must be a success."""
    status: list[str] = []
    body = app(environ, lambda line, *_: status.append(line))
    b"".join(body)
    if hasattr(body, "close"):
        body.close()
    if not status[0].startswith("2"):
        sys.exit(f"{environ['PATH_INFO']} answered {status[0]}")


def main() -> int:
    """Print the cost of a bare view, and of each request."""
    with cluster() as server:
        url, _ = databases(server)
        environment = {"APP_ENV": "production", "DATABASE_URL": url, "RATE_LIMIT_ENABLED": "false", **KEYS}
        os.environ.update(environment)
        # Metrics in files, as under gunicorn, and the log discarded.
        metric_files.share()
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - It stays open until the process ends.
        show("a bare Flask view", bare_application(), lambda: wsgi("GET", "/"))
        app = create_app(load_settings())
        for name, call in calls().items():
            show(name, app, call)
        logging.shutdown()
        database.close_all()
    return 0


def bare_application() -> Flask:
    """Create an application with only the minimum that Flask does for a response."""
    app = Flask("bare", static_folder=None)
    app.add_url_rule("/", view_func=lambda: Response(b"{}", content_type="application/json"))
    return app


def show(name: str, app: Any, call: Callable[[], dict[str, Any]]) -> None:
    """Print the cost of a request, and the parts that make up 5 % of it or more."""
    for _ in range(5):
        make_request(app, call())
    parts = count_instructions(app, call)
    total = parts.total()
    large = {part: number for part, number in parts.most_common() if number >= SHARE * total}
    large["other parts (below 5 %)"] = total - sum(large.values())
    sys.stdout.write(f"{name}: {total} instructions\n")
    for part, number in large.items():
        sys.stdout.write(f"  {part:24} {number:6}  {100 * number / total:5.1f} %\n")


token = access_token(7)

if __name__ == "__main__":
    sys.exit(main())
