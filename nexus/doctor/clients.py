"""The clients: whether their own addresses are seen, or a proxy's in the place of all."""

from nexus.doctor.finding import Verdict, ok, warn
from nexus.doctor.visit import Visit
from nexus.proxies import read

#: Sessions that are looked at.
LATEST = 100


def client_addresses(visit: Visit) -> Verdict:
    """Whether forwarded addresses arrive while no proxy is trusted, told by where sessions come from."""
    settings = visit.settings
    if settings.trusted_proxies:
        return ok("taken from X-Forwarded-For as far as TRUSTED_PROXIES says")
    if settings.development:
        return ok("taken from the connection, as on a developer's machine")
    if visit.ask("SELECT to_regclass('sessions')") == [(None,)]:
        return ok("nobody has signed in yet")
    rows = visit.ask("SELECT address FROM sessions ORDER BY refreshed_at DESC LIMIT %s", LATEST)
    addresses = [read(text) for (text,) in rows]
    if addresses and all(address and address.is_private for address in addresses):
        return warn(
            f"the latest {len(addresses)} sessions all came from private addresses, as {addresses[0]} is: "
            "a proxy's, and TRUSTED_PROXIES is 0",
            "set TRUSTED_PROXIES (docs/operations.md, Behind a proxy), or all clients share one rate",
        )
    return ok("taken from the connection")
