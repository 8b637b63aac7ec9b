"""What platforms ask: whether the process serves, and whether it can be sent requests."""

from flask import Blueprint, Response

from nexus.api.endpoint import described, reply
from nexus.db import OUTAGES, database, give_back
from nexus.errors import NotReady
from nexus.migrate import MigrationError, pending
from nexus.schemas.service import Health

ops = Blueprint("ops", __name__)
ops.teardown_request(give_back)


@ops.get("/healthz")
@described(answer=Health)
def healthz() -> Response:
    """Answer as long as the process serves; nothing else is touched."""
    return reply({"status": "ok"})


@ops.get("/readyz")
@described(answer=Health, errors=(NotReady,))
def readyz() -> Response:
    """Answer 200 when the database has every migration of this code, else 503 with what is missing."""
    try:
        missing = pending(database)
    except OUTAGES:
        raise NotReady(missing=["database"]) from None
    except MigrationError:
        raise NotReady(missing=["migrations"]) from None
    if missing:
        raise NotReady(missing=missing)
    return reply({"status": "ready"})
