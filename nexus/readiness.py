"""Whether this process can be sent requests, found out once a second at most, however often it is asked."""

import math
import threading
import time

from nexus.db import database, release_connection
from nexus.db.outages import OUTAGES
from nexus.migrate import MigrationError, pending

#: Seconds for which an answer is given again.
FRESH = 1.0
#: Seconds after which it counts no longer: whoever is finding out anew gets no answer.
BELIEVED = 10.0


class Readiness:
    """What is missing, as this process found it the last time."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._found_at = -math.inf
        self._missing = ["database"]

    def missing(self) -> list[str]:
        """`database`, names of migrations, or `migrations` where the code has none; nothing: it is ready.

        One caller finds out, and whoever asks meanwhile is told what was found before.
        """
        age = time.monotonic() - self._found_at
        # When all connections are taken, requests find out themselves, and a probe takes no turn of theirs.
        if age >= FRESH and database.has_room() and self._turn.acquire(blocking=False):
            try:
                self._missing = _look()
                self._found_at = time.monotonic()
            finally:
                self._turn.release()
        elif age >= BELIEVED:
            return ["database"]
        return self._missing


def _look() -> list[str]:
    try:
        return pending(database)
    except OUTAGES:
        return ["database"]
    except MigrationError:
        return ["migrations"]
    finally:
        release_connection()
