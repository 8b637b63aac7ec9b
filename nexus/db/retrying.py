"""What may be rerun: what PostgreSQL rolled back as a whole, and reads whose connection died."""

import random
import re
import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from nexus.db.outages import GIVEN_UP, OUTAGES, sqlstate

log = structlog.stdlib.get_logger(__name__)

#: How often something is run at most.
TRIES = 3
#: Seconds of the longest pause before the second run; twice as long before the third.
PAUSE = 0.05

#: Words that a read never contains: other statements, locks, and functions that write. A read that happens to
#: contain one, in a string for example, is taken for a write, which does no harm.
WRITING = re.compile(
    r"\b(insert|update|delete|merge|into|for|call|nextval|setval|set_config|lo_\w+|dblink\w*"
    r"|pg_notify|pg_\w*lock\w*|pg_(cancel|terminate)_backend|pg_reload_conf)\b",
    re.IGNORECASE,
)

Result = TypeVar("Result")


def with_retries(run: Callable[[], Result]) -> Result:
    """Run something up to TRIES times, as long as PostgreSQL rolls it back for another transaction's sake.

    It must have no effect outside the database, since that would not be rolled back. The random pause lets
    one of several conflicting transactions go first.
    """
    for attempt in range(1, TRIES):
        try:
            return run()
        except OUTAGES as error:
            if (state := sqlstate(error)) not in GIVEN_UP:
                raise
            log.info("run again", sqlstate=state, attempt=attempt)
        time.sleep(random.uniform(0, PAUSE * attempt))  # noqa: S311 - No secret.
    return run()


def only_reads(sql: str) -> bool:
    """Whether a statement changes nothing, so that it can be repeated whatever became of it.

    So a SELECT must not call a function of our own that writes, unless WRITING names that function.
    """
    first = sql.split(maxsplit=1)[0].upper() if sql.strip() else ""
    return first in ("SELECT", "WITH") and not WRITING.search(sql)
