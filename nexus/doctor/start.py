"""The check at the start of the service: whether the database allows all its connections."""

import logging
from contextlib import closing

from nexus.config import Settings
from nexus.db.outages import FAILURES
from nexus.doctor.server import connections
from nexus.doctor.visit import Visit

log = logging.getLogger("nexus.start")


def warn_of_room(settings: Settings) -> None:
    """Log a warning if the workers may open more connections than the database allows.

    Without a database nothing is logged: it may start later, and requests report its absence.
    """
    try:
        visit = Visit(settings, pooled=settings.database_pool_url is not None)
        with closing(visit.connection):
            verdict = connections(visit)
    except FAILURES:
        return
    if verdict.status != "ok":
        log.warning("too little room for connections: %s; %s", verdict.detail, verdict.advice)
