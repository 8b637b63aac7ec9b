"""The order of the questions: first the way there, then the server, then what lies in it."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing

from nexus.config import Settings
from nexus.db.outages import FAILURES
from nexus.doctor import clients, schema, server, way
from nexus.doctor.finding import Finding, Verdict, fail, ok
from nexus.doctor.visit import Identity, Visit, told
from nexus.errors import DatabaseUnavailable

Check = Callable[[Visit], Verdict]

DIRECT: list[Check] = [
    way.reachable,
    way.latency,
    way.tls,
    way.pooler,
    way.limits,
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
    way.reachable,
    way.latency,
    way.tls,
    way.pooler,
    way.limits,
    server.rights,
    server.connections,
]

#: What to do by what the driver says, the first that fits; the server may say it in another language.
REMEDIES = {
    "password authentication failed": "correct user and password in {}; @ / ? are written %40 %2F %3F there",
    "no password supplied": "add the password to {}",
    "no pg_hba.conf entry": "let this machine in by pg_hba.conf, or add sslmode=require to {}",
    "does not support SSL": "turn ssl on at the server, or take sslmode out of {}",
    "SSL required": "add sslmode=require to {}",
    "certificate": "name its authority by sslrootcert=, and in {} the host as the certificate does",
    "too many": "lower WEB_CONCURRENCY or DATABASE_POOL_SIZE, or raise the limit that it names",
    "remaining connection slots": "lower WEB_CONCURRENCY or DATABASE_POOL_SIZE, or raise max_connections",
    "does not exist": "create it (docs/DATABASE.md), or correct {}",
    "translate host name": "correct the host in {}",
    "session is read-only": "see which of the hosts in {} takes writes, and why none does",
    "permission denied": "give that right to the role of {}",
}
OTHERWISE = "start the server, or correct host and port in {} (docs/DATABASE.md, Troubleshooting)"


def examine(settings: Settings) -> Iterator[Finding]:
    """All findings; where there is no connection, the one that says why.

    The questions of the second URL begin with `pool`. The database itself is asked once, by the first.
    """
    direct = yield from _examined(settings, DIRECT, pooled=False)
    if settings.database_pool_url:
        pooled = yield from _examined(settings, POOLED, pooled=True)
        if direct and pooled:
            verdict = ok("the one of DATABASE_URL") if direct == pooled else ELSEWHERE
            yield _finding("database", verdict, pooled=True)


ELSEWHERE = fail(
    "another one than that of DATABASE_URL, to which migrations and commands go",
    "make both URLs lead to the same database of the same server",
)


def _examined(
    settings: Settings, checks: list[Check], *, pooled: bool
) -> Generator[Finding, None, Identity | None]:
    """The findings by one URL, and in the end which database it leads to."""
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
    text = told(error, settings.pooled if pooled else settings.direct)
    remedy = next((remedy for said, remedy in REMEDIES.items() if said in text), OTHERWISE)
    return fail(text, remedy.format("DATABASE_POOL_URL" if pooled else "DATABASE_URL"))
