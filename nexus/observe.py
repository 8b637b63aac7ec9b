"""What the service says about itself: an id for each request, a line for each, queries on demand."""

import logging
import re
import time
from uuid import uuid4

import peewee
from flask import Flask, Response, g, request

from nexus.config import Settings
from nexus.db import database

WELL_FORMED = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)

#: In what servers say of a request: its query, as far as one can see, and a receipt in a header.
PRIVATE = re.compile(r"\?.*?(?= HTTP/\d|$)|(?<=authorization)[\s:]*receipt\s+\S+", re.IGNORECASE | re.DOTALL)

log = logging.getLogger("nexus.request")
query_log = logging.getLogger("nexus.query")


def init_app(app: Flask, settings: Settings) -> None:
    """Number and log every request, before anything else can answer it."""
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("nexus").setLevel(settings.log_level)
    # Peewee logs parameters too, and those hold what no log may hold.
    logging.getLogger("peewee").setLevel(logging.INFO)
    # gunicorn shows requests that it cannot read, and Flask's own server shows all.
    for server in ("gunicorn.error", "werkzeug"):
        logging.getLogger(server).addFilter(hide_private)
    if settings.development and settings.log_level == "DEBUG" and log_query not in database.query_hooks:
        database.query_hooks.append(log_query)

    @app.before_request
    def number() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if WELL_FORMED.fullmatch(given) else uuid4().hex
        g.started = time.perf_counter()

    @app.after_request
    def note(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        milliseconds = (time.perf_counter() - g.started) * 1000
        # The route and not the path: paths and queries hold addresses and receipts.
        route = request.url_rule.rule if request.url_rule else "(no route)"
        asked = f"{request.method} {route}"
        log.info("%s %d %.1f ms %s", asked, response.status_code, milliseconds, g.request_id)
        return response


def hide_private(record: logging.LogRecord) -> bool:
    """Take out of a line what no log may hold; queries have addresses and receipts."""
    record.msg, record.args = PRIVATE.sub("(hidden)", record.getMessage()), ()
    return True


def log_query(event: peewee.QueryEvent) -> None:
    """Show a query without its parameters."""
    query_log.debug("%.1f ms %s", event.duration * 1000, " ".join(str(event.sql).split()))
