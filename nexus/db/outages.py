"""What goes wrong with the database, rather than with a query of ours, and what a client is told of it."""

import peewee
import psycopg2

from nexus import embedded
from nexus.errors import DatabaseBusy, DatabaseUnavailable, NexusError

#: Raised when the server or the way to it is at fault, rather than a query of ours.
OUTAGES = (
    peewee.OperationalError,
    peewee.InterfaceError,
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    embedded.EmbeddedError,
)

#: Whatever PostgreSQL or the way to it can raise, with Peewee around it or without.
FAILURES = (peewee.PeeweeException, psycopg2.Error, embedded.EmbeddedError)

#: Serialization failure and deadlock: undone as a whole, for the sake of another transaction.
GIVEN_UP = ("40001", "40P01")
#: As those, but because it took too long: cancelled at its time limit, or a lock was not to be had.
TOO_SLOW = ("57014", "55P03")
#: What the driver takes for mistakes of ours: the server takes no writes,
READ_ONLY = "25006"
#: or it ended a session, whose transaction idled or took too long.
ENDED = ("25P03", "25P04")


def cause(error: Exception) -> Exception:
    """The driver's error, which Peewee wraps, and wraps again where a query had to connect first."""
    while isinstance(wrapped := getattr(error, "orig", None), Exception):
        error = wrapped
    return error


def sqlstate(error: Exception) -> str | None:
    """PostgreSQL's own code of a failure; None where the connection broke before it could tell."""
    return getattr(cause(error), "pgcode", None)


def reason(error: Exception) -> str:
    """What the driver said, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def meaning(error: Exception) -> NexusError:
    """What a client is told of an outage: that nothing was done, or that this is not known."""
    if sqlstate(error) in (*GIVEN_UP, *TOO_SLOW):
        return DatabaseBusy()
    return DatabaseUnavailable(reason(error))
