"""A circuit breaker: while the database is unreachable, one request at a time tries it, and none waits."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import structlog

from nexus.db.outages import OUTAGES, reason

log = structlog.stdlib.get_logger(__name__)


class Unreachable(psycopg2.OperationalError):
    """A connection could not be opened, or was not attempted because another thread is attempting it."""


class Circuit:
    """Whether the database could be reached when this process last tried.

    While open, it lets one attempt through at a time and refuses all others at once; the first attempt that
    succeeds closes it. It needs no timer: if the server refuses, an attempt takes a moment, and if it is
    silent, one thread waits instead of all of them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = False
        self._trying = False

    @contextmanager
    def connecting(self) -> Iterator[None]:
        """Open a connection in this block; Unreachable if that fails, or if another thread is trying."""
        with self._lock:
            trial = self._open
            if trial and self._trying:
                raise Unreachable("the database could not be reached a moment ago")
            self._trying = trial
        try:
            yield
        except OUTAGES as error:
            self._turn(open_=True, why=reason(error))
            raise Unreachable(reason(error)) from error
        else:
            self._turn(open_=False)
        finally:
            if trial:
                self._trying = False

    def _turn(self, *, open_: bool, why: str = "") -> None:
        with self._lock:
            turned, self._open = self._open is not open_, open_
        if turned and open_:
            log.error("database unreachable", reason=why)
        elif turned:
            log.warning("database reachable again")
