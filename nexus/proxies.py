"""Which forwarded addresses are trusted: those that a trusted proxy added, and none that a client made up."""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: More than anybody has in a row; a larger number is a typo.
MOST_HOPS = 10

NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
#: Some proxies write the port of the connection too, with IPv6 in brackets.
WITH_PORT = re.compile(r"\[(?P<six>[^\]]*)\](:\d+)?|(?P<four>[^:]*):\d+", re.ASCII)


@dataclass(frozen=True)
class Proxies:
    """The trusted proxies: a number of them in a row, whatever their addresses, or those in some networks."""

    hops: int = 0
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a number of hops, or networks and addresses separated by commas; ValueError otherwise."""
        if NUMBER.fullmatch(text.strip()):
            hops = int(text)
            if hops > MOST_HOPS:
                raise ValueError(f"is {hops} proxies in a row, and at most {MOST_HOPS} are allowed")
            return cls(hops=hops)
        try:
            networks = tuple(ipaddress.ip_network(part.strip()) for part in text.split(","))
        except ValueError as error:
            raise ValueError(
                f"must be a number of proxies or a list of their networks, as in 10.0.0.0/8: {error}"
            ) from None
        if not all(network.prefixlen for network in networks):
            raise ValueError("must not include all addresses, since then every client would be trusted")
        return cls(networks=networks)

    def __bool__(self) -> bool:
        """Whether any proxy is trusted."""
        return bool(self.hops or self.networks)

    def trusts(self, address: Address | None, hop: int) -> bool:
        """Whether an address is a trusted proxy; `hop` counts from the peer of the connection, which is 0."""
        return hop < self.hops or any(address in network for network in self.networks if address)

    def client(self, peer: str, forwarded: str) -> str:
        """The address of the client: the rightmost that is not a trusted proxy; empty if it is unknown.

        `peer` is the other end of the connection, `forwarded` the header X-Forwarded-For. Anything left of
        that address, or of an invalid entry, could be forged.
        """
        found = read(peer)
        entries = forwarded.split(",") if forwarded else []
        for hop, entry in enumerate(reversed(entries)):
            before = read(entry)
            if before is None or not self.trusts(found, hop):
                break
            found = before
        return str(found or "")


@lru_cache(1024)
def read(text: str) -> Address | None:
    """Parse an address as proxies write it, or return None; an IPv4-mapped IPv6 address becomes IPv4."""
    text = text.strip()
    if ported := WITH_PORT.fullmatch(text):
        text = ported["six"] or ported["four"] or ""
    try:
        # A zone, after %, only says which of our own network interfaces was used.
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address


def neighbourhood(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 network that an IPv6 customer has at least."""
    found = read(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return address
