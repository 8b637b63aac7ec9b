"""One connection to PostgreSQL: how it is opened, its time limits, and whether it is still open."""

import math
import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

import psycopg2
import psycopg2.extensions
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, UNICODE, new_type, register_type

from nexus import embedded
from nexus.database_url import DatabaseURL
from nexus.db.outages import ENDED, READ_ONLY
from nexus.db.statement import Text
from nexus.errors import CommitUnconfirmed

#: More than any request needs; gunicorn's own timeout is 30 seconds.
LIMITS = {
    "statement_timeout": "15s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
}
#: Set the limits that the role leaves at 0. Not behind a pooler, which different process numbers reveal: a
#: session's setting would reach other clients there, so that only the role can set limits.
LIMITING = """
SELECT set_config(name, given, false)
FROM unnest(%s::text[], %s::text[]) AS ours (name, given)
WHERE current_setting(name) = '0' AND pg_backend_pid() = %s;
SELECT extract(epoch FROM current_setting('statement_timeout')::interval)::float, pg_backend_pid()
"""
#: Seconds for a statement that the server does not limit, for example behind a pooler.
LONGEST = 15.0
#: Extra seconds in which the server can report that its own limit was reached.
MARGIN = 3.0
#: How many statements a connection prepares at most: the server keeps a plan of each.
PREPARED = 100
#: SQLSTATEs: a prepared statement does not exist, or cannot be run because a table was changed.
GONE = ("26000", "0A000")
#: SQLSTATE: a number is out of range for its parameter's type; as a literal it may have any size.
TOO_LARGE = "22003"
#: UUIDs, by their type's number in PostgreSQL, are read as text: most are only passed on, and models convert.
UUID_AS_TEXT = new_type((2950,), "UUID_AS_TEXT", UNICODE)
#: The warning, beside an otherwise successful commit, that PostgreSQL did not wait for the standby.
UNCONFIRMED = "canceling wait for synchronous replication"


class LostServer(psycopg2.OperationalError):
    """The server was silent for longer than any statement may take."""


class WrongServer(psycopg2.OperationalError):
    """The server no longer accepts writes; another one may."""


class Served(psycopg2.extensions.connection):
    """A connection that serves requests, with its statements' time limited by `watchdog.py`."""

    #: Seconds that one statement may take, including the server's response.
    limit = math.inf
    #: When the running statement began, by the monotonic clock.
    busy_since: float | None = None
    #: Whether the watchdog cut the connection off.
    overdue = False
    #: Names of the statements prepared here; None: a pooler could run them on a connection without them.
    prepared: set[str] | None = None

    def is_late(self) -> bool:
        """Whether the running statement has taken too long."""
        since = self.busy_since
        return since is not None and monotonic() - since > self.limit

    def cut(self) -> None:
        """Abort the running statement, from another thread, by shutting its socket down."""
        self.overdue = True
        # On a duplicate of the descriptor, since closing the socket object closes its descriptor.
        with suppress(OSError, psycopg2.Error), socket.socket(fileno=os.dup(self.fileno())) as copy:
            copy.shutdown(socket.SHUT_RDWR)

    def as_outage(self, error: psycopg2.Error) -> psycopg2.Error:
        """The error as an outage if it is one, which the driver may not know or take for our mistake."""
        if self.overdue:
            return LostServer(f"no answer within {self.limit:g} s")
        if error.pgcode == READ_ONLY:
            return WrongServer(str(error))
        return psycopg2.OperationalError(str(error)) if error.pgcode in ENDED else error

    def check_notices(self) -> None:
        """Check the server's notices; CommitUnconfirmed where a commit did not wait for the standby."""
        remarks = "".join(self.notices)
        del self.notices[:]
        if UNCONFIRMED in remarks:
            raise CommitUnconfirmed


#: Bound to a name, since looking it up at every statement would cost time.
execute_plain = psycopg2.extensions.cursor.execute


class Cursor(psycopg2.extensions.cursor):
    """The cursor of a `Served` connection; all that Peewee runs goes through it, even BEGIN and COMMIT."""

    connection: Served

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 - The driver's name.
        """Run a statement, and note when it began, so that the watchdog can cut it off."""
        connection = self.connection
        connection.busy_since = monotonic()
        try:
            if type(query) is Text and query.prepared and connection.prepared is not None:
                self._prepared(query, vars, connection.prepared)
            else:
                execute_plain(self, query, vars)
        except psycopg2.Error as error:
            outage = connection.as_outage(error)
            if outage is error:
                raise
            raise outage from error
        finally:
            connection.busy_since = None
        if connection.notices:
            connection.check_notices()

    def _prepared(self, text: Text, values: Any, prepared: set[str]) -> None:
        """Run a statement prepared, so that PostgreSQL parses it once and can reuse its plan."""
        try:
            if text.name not in prepared:
                if len(prepared) == PREPARED:
                    return execute_plain(self, text, values)
                execute_plain(self, text.prepare)
                prepared.add(text.name)
            execute_plain(self, text.execute, values)
        except psycopg2.Error as error:
            if error.pgcode in GONE:
                self.connection.prepared = None
            is_idle = self.connection.info.transaction_status == TRANSACTION_STATUS_IDLE
            if not is_idle or error.pgcode not in (*GONE, TOO_LARGE):
                raise
            execute_plain(self, text, values)


def connect(url: DatabaseURL | None, *, wait: float, **how: Any) -> Any:
    """Open a psycopg2 connection in autocommit mode, to the embedded server if there is no URL."""
    target = url or DatabaseURL.parse(embedded.url())
    hosts = target.parameters.get("host", "").count(",") + 1
    limits: dict[str, Any] = {
        # libpq tries the hosts one after another, each for this long, and treats 1 as 2.
        "connect_timeout": max(2, int(wait / hosts)),
        # A network that silently drops packets is noticed in seconds, not after 15 minutes.
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 2,
        "tcp_user_timeout": 5000,
    }
    connection = psycopg2.connect(**{**limits, **target.parameters}, **how)
    connection.autocommit = True
    register_type(UUID_AS_TEXT, connection)
    return connection


def connect_to_serve(url: DatabaseURL | None, *, wait: float, watch: Callable[[Served], None]) -> Served:
    """Open a connection for requests, on which everything has a time limit, and have it watched."""
    connection: Served = connect(url, wait=wait, connection_factory=Served, cursor_factory=Cursor)
    # Until the server has reported its own limit.
    connection.limit = wait
    watch(connection)
    cursor = connection.cursor()
    cursor.execute(LIMITING, (list(LIMITS), list(LIMITS.values()), connection.info.backend_pid))
    limit, process = cursor.fetchone() or (0, None)
    connection.limit = (limit or LONGEST) + MARGIN
    connection.prepared = set() if process == connection.info.backend_pid else None
    return connection


def closed_by_server(connection: Any) -> bool:
    """Whether the server closed an idle connection, which the socket shows without a round trip.

    Between two queries an open connection has nothing to read; it is readable when the server has closed it.
    """
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
