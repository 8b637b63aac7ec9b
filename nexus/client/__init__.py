"""A typed client of the API, blocking or async, for programs that talk to a shop over HTTP.

It needs httpx, which the service itself does not need: `pip install 'nexus[client]'`.
"""

from nexus.client.exchange import Tokens
from nexus.client.failures import Garbled, Refused, ShopError, Unreachable
from nexus.client.shop import AsyncClient, Client

__all__ = [
    "AsyncClient",
    "Client",
    "Garbled",
    "Refused",
    "ShopError",
    "Tokens",
    "Unreachable",
]
