"""Client addresses: whether the service sees those of clients, or only that of a proxy."""

from nexus.doctor.finding import Verdict, ok, warn
from nexus.doctor.visit import Visit
from nexus.proxies import read

#: Number of sessions to check.
LATEST = 100


def client_addresses(visit: Visit) -> Verdict:
    """Whether there seems to be a proxy that is not trusted, judging by the addresses of sessions."""
    settings = visit.settings
    if settings.trusted_proxies:
        return ok("taken from X-Forwarded-For, according to TRUSTED_PROXIES")
    if settings.development:
        return ok("taken from the connection, as usual in development")
    if visit.ask("SELECT to_regclass('sessions')") == [(None,)]:
        return ok("nobody has signed in yet")
    rows = visit.ask("SELECT address FROM sessions ORDER BY refreshed_at DESC LIMIT %s", LATEST)
    addresses = [read(text) for (text,) in rows]
    if addresses and all(address and address.is_private for address in addresses):
        return warn(
            f"the latest {len(addresses)} sessions all came from private addresses such as {addresses[0]}, "
            "probably of a proxy, and TRUSTED_PROXIES is 0",
            "set TRUSTED_PROXIES (docs/operations.md, Behind a proxy), or all clients share one rate limit",
        )
    return ok("taken from the connection")
