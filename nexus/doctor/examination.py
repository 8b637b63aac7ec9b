"""The order of the checks: first the connection, then the server, then its contents."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing

from nexus.config import Settings
from nexus.db.outages import FAILURES
from nexus.doctor import clients, connection, schema, server
from nexus.doctor.finding import Finding, Verdict, fail, ok
from nexus.doctor.visit import Identity, Visit, described
from nexus.errors import DatabaseUnavailable

Check = Callable[[Visit], Verdict]

DIRECT: list[Check] = [
    connection.reachable,
    connection.latency,
    connection.tls,
    connection.pooler,
    connection.limits,
    server.version,
    server.clock,
    server.locale,
    server.rights,
    server.connections,
    schema.migrations,
    schema.drift,
    schema.tables,
    schema.invalid_indexes,
    schema.unused_indexes,
    schema.missing_indexes,
    clients.client_addresses,
]
POOLED: list[Check] = [
    connection.reachable,
    connection.latency,
    connection.tls,
    connection.pooler,
    connection.limits,
    server.rights,
    server.connections,
]

#: What to do by the driver's message, the first that fits; servers may send messages in another language.
REMEDIES = {
    "password authentication failed": "correct user and password in {}; encode @ / ? there as %40 %2F %3F",
    "no password supplied": "add the password to {}",
    "no pg_hba.conf entry": "allow this machine in pg_hba.conf, or add sslmode=require to {}",
    "does not support SSL": "enable ssl on the server, or remove sslmode from {}",
    "SSL required": "add sslmode=require to {}",
    "certificate": "set sslrootcert= to its authority, and the host in {} to the name in the certificate",
    "too many": "lower WEB_CONCURRENCY or DATABASE_POOL_SIZE, or raise the limit in the message",
    "remaining connection slots": "lower WEB_CONCURRENCY or DATABASE_POOL_SIZE, or raise max_connections",
    "does not exist": "create it (docs/DATABASE.md), or correct {}",
    "translate host name": "correct the host in {}",
    "session is read-only": "find out which of the hosts in {} should accept writes, and why none does",
    "permission denied": "grant that privilege to the role of {}",
}
OTHERWISE = "start the server, or correct host and port in {} (docs/DATABASE.md, Troubleshooting)"


def examine(settings: Settings) -> Iterator[Finding]:
    """All findings; without a connection, a single one that says why.

    The checks of the second URL are prefixed with `pool`. The contents are checked once, by the first.
    """
    direct = yield from _examined(settings, DIRECT, pooled=False)
    if settings.database_pool_url:
        pooled = yield from _examined(settings, POOLED, pooled=True)
        if direct and pooled:
            verdict = ok("the same as DATABASE_URL") if direct == pooled else ELSEWHERE
            yield _finding("database", verdict, pooled=True)


ELSEWHERE = fail(
    "not the database of DATABASE_URL, which migrations and commands use",
    "let both URLs lead to the same database on the same server",
)


def _examined(
    settings: Settings, checks: list[Check], *, pooled: bool
) -> Generator[Finding, None, Identity | None]:
    """The findings for one URL, and finally the identity of its database."""
    try:
        visit = Visit(settings, pooled=pooled)
    except FAILURES as error:
        yield _finding("reachable", _failed(error, settings, pooled=pooled), pooled=pooled)
        return None
    with closing(visit.connection):
        for check in checks:
            try:
                verdict = check(visit)
            except (*FAILURES, DatabaseUnavailable) as error:
                verdict = _failed(error, settings, pooled=pooled)
            yield _finding(check.__name__.replace("_", " "), verdict, pooled=pooled)
            if visit.connection.closed:
                return None
        return visit.identity()


def _finding(check: str, verdict: Verdict, *, pooled: bool) -> Finding:
    name = f"pool {check}" if pooled else check
    return Finding(name, verdict.status, verdict.detail, verdict.advice)


def _failed(error: Exception, settings: Settings, *, pooled: bool) -> Verdict:
    text = described(error, settings.pooled if pooled else settings.direct)
    remedy = next((remedy for part, remedy in REMEDIES.items() if part in text), OTHERWISE)
    return fail(text, remedy.format("DATABASE_POOL_URL" if pooled else "DATABASE_URL"))
