"""Whether this process is ready for requests; checked at most once a second, however often it is asked."""

import math
import threading
import time

from nexus.db import database
from nexus.db.outages import OUTAGES
from nexus.migrate import MigrationError, pending

#: Seconds for which a result is reused.
FRESH = 1.0
#: Seconds after which a result is too old to be believed: the check that should replace it is stuck.
BELIEVED = 10.0


class Readiness:
    """The result of this process's last check."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._found_at = -math.inf
        self._missing = ["database"]

    def missing(self) -> list[str]:
        """`database`, names of migrations, or `migrations` if the code has none; if empty, it is ready.

        One caller runs the check, and concurrent callers get the previous result.
        """
        age = time.monotonic() - self._found_at
        # If all connections are in use, requests check the database anyway, and a probe must not delay them.
        if age >= FRESH and database.has_room() and self._turn.acquire(blocking=False):
            try:
                self._missing = _check()
                self._found_at = time.monotonic()
            finally:
                self._turn.release()
        elif age >= BELIEVED:
            return ["database"]
        return self._missing


def _check() -> list[str]:
    try:
        return pending(database)
    except OUTAGES:
        return ["database"]
    except MigrationError:
        return ["migrations"]
    finally:
        database.release()
