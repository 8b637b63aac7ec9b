"""What the service asks of the doctor when it starts: whether there is room for all of its connections."""

import logging
from contextlib import closing

from nexus.config import Settings
from nexus.db.outages import FAILURES
from nexus.doctor.server import connections
from nexus.doctor.visit import Visit

log = logging.getLogger("nexus.start")


def warn_of_room(settings: Settings) -> None:
    """Write a warning if the workers may open more connections than there is room for.

    Without a database nothing is said: it may come later, and requests tell.
    """
    try:
        visit = Visit(settings, pooled=settings.database_pool_url is not None)
        with closing(visit.connection):
            verdict = connections(visit)
    except FAILURES:
        return
    if verdict.status != "ok":
        log.warning("too little room for connections: %s; %s", verdict.detail, verdict.advice)
