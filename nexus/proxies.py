"""Which forwarded addresses count: those that a trusted proxy saw itself, and none that a client made up."""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: More than anybody has in a row; a larger number is a typing error.
MOST_HOPS = 10

NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
#: Some proxies write the port of the connection too, with IPv6 in brackets.
WITH_PORT = re.compile(r"\[(?P<six>[^\]]*)\](:\d+)?|(?P<four>[^:]*):\d+", re.ASCII)


@dataclass(frozen=True)
class Proxies:
    """The proxies that are trusted: so many in a row, whoever they are, or those of these networks."""

    hops: int = 0
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a number of hops, or networks and addresses by commas; ValueError for what is neither."""
        if NUMBER.fullmatch(text.strip()):
            hops = int(text)
            if hops > MOST_HOPS:
                raise ValueError(f"names {hops} proxies in a row, and at most {MOST_HOPS} can be")
            return cls(hops=hops)
        try:
            networks = tuple(ipaddress.ip_network(part.strip()) for part in text.split(","))
        except ValueError as error:
            raise ValueError(
                f"must be a number of proxies or a list of their networks, as in 10.0.0.0/8: {error}"
            ) from None
        if not all(network.prefixlen for network in networks):
            raise ValueError("must not be everybody's address, whom nobody can trust")
        return cls(networks=networks)

    def __bool__(self) -> bool:
        """Whether any is trusted."""
        return bool(self.hops or self.networks)

    def trusts(self, address: Address | None, hop: int) -> bool:
        """Whether the one that is so many before the last, which is 0, is a proxy of ours."""
        return hop < self.hops or any(address in network for network in self.networks if address)

    def client(self, peer: str, forwarded: str) -> str:
        """The address of the client: the right-most that is no proxy of ours; empty where none is known.

        `peer` is at the other end of the connection, `forwarded` the header X-Forwarded-For. What stands
        left of that address, or of a text that is none, anybody may have written.
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
    """An address as a proxy writes it, or None; an IPv4 address that IPv6 carries is that IPv4 address."""
    text = text.strip()
    if ported := WITH_PORT.fullmatch(text):
        text = ported["six"] or ported["four"] or ""
    try:
        # A zone, after %, says which of our own interfaces it came by.
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address


def neighbourhood(address: str) -> str:
    """What counts as one place: an IPv4 address, or the /64 that one IPv6 customer has at the least."""
    found = read(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return address
