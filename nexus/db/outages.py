"""Outages: failures of the database itself rather than of a query, and the errors that clients get."""

import peewee
import psycopg2

from nexus import embedded
from nexus.errors import DatabaseBusy, DatabaseUnavailable, NexusError

#: Raised when the server or the connection to it fails, rather than a query.
OUTAGES = (
    peewee.OperationalError,
    peewee.InterfaceError,
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    embedded.EmbeddedError,
)

#: Everything that PostgreSQL or the connection to it can raise, wrapped by Peewee or not.
FAILURES = (peewee.PeeweeException, psycopg2.Error, embedded.EmbeddedError)

#: Serialization failure and deadlock: rolled back as a whole, for the sake of another transaction.
GIVEN_UP = ("40001", "40P01")
#: Rolled back too, but because it took too long: cancelled at its time limit, or timed out on a lock.
TOO_SLOW = ("57014", "55P03")
#: The server accepts no writes. (The driver does not count this as an operational error, nor the next.)
READ_ONLY = "25006"
#: The server ended the session, because its transaction idled or took too long.
ENDED = ("25P03", "25P04")


def cause(error: Exception) -> Exception:
    """The driver's error, which Peewee wraps."""
    while isinstance(wrapped := getattr(error, "orig", None), Exception):
        error = wrapped
    return error


def sqlstate(error: Exception) -> str | None:
    """PostgreSQL's error code of a failure; None if the connection broke before it was sent."""
    return getattr(cause(error), "pgcode", None)


def reason(error: Exception) -> str:
    """The driver's message, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def client_error(error: Exception) -> NexusError:
    """The error that a client gets for an outage: nothing was done, or it is unknown whether it was."""
    if sqlstate(error) in (*GIVEN_UP, *TOO_SLOW):
        return DatabaseBusy()
    return DatabaseUnavailable(reason(error))
