"""The connection to the server, by either URL: latency, encryption, pooler and time limits."""

import ipaddress
import statistics
import time
from contextlib import suppress

from nexus.db.connection import LIMITS
from nexus.doctor.finding import Verdict, fail, ok, warn
from nexus.doctor.visit import Visit

ROUND_TRIPS = 5
#: Milliseconds: a request makes up to three round trips, and should take less than 50.
SLOW = 15


def reachable(visit: Visit) -> Verdict:
    """Which server it is, and whether with several hosts it will be the one that accepts writes."""
    ((database, role),) = visit.ask("SELECT current_database(), session_user")
    info = visit.connection.info
    detail = f"{info.host}:{info.port}, database {database}, as {role}"
    asked = visit.url.parameters if visit.url else {}
    if "," in asked.get("host", "") and asked.get("target_session_attrs") not in ("read-write", "primary"):
        advice = f"add target_session_attrs=read-write to {visit.variable}"
        return warn(f"{detail}: the first host that answers, even if it is a standby", advice)
    return ok(detail)


def latency(visit: Visit) -> Verdict:
    """How long the shortest query takes."""
    times = []
    for _ in range(ROUND_TRIPS):
        start = time.perf_counter()
        visit.ask("SELECT 1")
        times.append((time.perf_counter() - start) * 1000)
    median = statistics.median(times)
    detail = f"{median:.2f} ms per round trip, the median of {ROUND_TRIPS}"
    if median > SLOW:
        return warn(detail, "run the service closer to the database: each query of a request waits this long")
    return ok(detail)


def tls(visit: Visit) -> Verdict:
    """Whether the connection is encrypted."""
    info = visit.connection.info
    if info.ssl_in_use:
        return ok(f"{info.ssl_attribute('protocol')}, {info.ssl_attribute('cipher')}")
    if is_local(info.host):
        return ok("not used, and not needed on the same machine")
    return warn(
        f"not used for the connection to {info.host}",
        f"add sslmode=verify-full and sslrootcert=, or at least sslmode=require, to {visit.variable}",
    )


def is_local(host: str) -> bool:
    """Whether a host, as the URL names it, is this machine."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host in ("", "localhost") or host.startswith("/")


def pooler(visit: Visit) -> Verdict:
    """Whether there is a pooler where one belongs, and none where sessions are needed."""
    if visit.pooling == "statement":
        advice = "set pool_mode = transaction in the pooler: orders need transactions"
        return fail("a pooler in statement mode, which refuses transactions", advice)
    if visit.pooling == "transaction":
        found = "a pooler in transaction mode"
        if visit.pooled:
            return ok(found)
        advice = "use this as DATABASE_POOL_URL, and the server's own address as DATABASE_URL"
        return fail(f"{found}, where migrations and commands lose their sessions", advice)
    if visit.pooling == "session":
        return ok("a pooler in session mode, which keeps a server connection for each of ours")
    if visit.pooled:
        advice = "set it to the pooler's address, or unset it: the web process then uses DATABASE_URL"
        return warn("no pooler: this is the server itself", advice)
    return ok("none: this is the server itself")


def limits(visit: Visit) -> Verdict:
    """The time limits of the role for statements, locks and idle transactions."""
    ((role, database),) = visit.ask("SELECT quote_ident(session_user), quote_ident(current_database())")
    values = {name: visit.ask("SELECT current_setting(%s)", name)[0][0] for name in LIMITS}
    detail = ", ".join(f"{name} {value}" for name, value in values.items())
    missing = [
        f"ALTER ROLE {role} IN DATABASE {database} SET {name} = '{LIMITS[name]}';"
        for name, value in values.items()
        if value == "0"
    ]
    if missing:
        return warn(detail, "\n".join(["set limits for new connections:", *missing]))
    return ok(detail)
