"""The address that a request comes from, as far as it can be trusted."""

import logging
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from flask import Flask, request

from nexus.config import Settings
from nexus.proxies import Proxies, read

log = logging.getLogger(__name__)


def client_address() -> str:
    """The address of the client in canonical form; empty if it is unknown."""
    return request.remote_addr or ""


def init_app(app: Flask, settings: Settings) -> None:
    """Take the address of every request from what trusted proxies forward."""
    app.wsgi_app = ForwardedAddress(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign]


class ForwardedAddress:
    """WSGI middleware that sets REMOTE_ADDR and the scheme to what trusted proxies, and only those, say."""

    def __init__(self, inside: Any, proxies: Proxies) -> None:
        self._inside = inside
        self._proxies = proxies
        self._known = lru_cache(256)(self._client)
        self._warned = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Correct the environment and pass the request on."""
        peer = environ.get("REMOTE_ADDR", "")
        forwarded = environ.get("HTTP_X_FORWARDED_FOR", "")
        environ["REMOTE_ADDR"], trusted = self._known(peer, forwarded)
        if trusted:
            # The last value is the nearest proxy's; those before it may be made up.
            scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
            if scheme in ("http", "https"):
                environ["wsgi.url_scheme"] = scheme
        elif forwarded and not self._proxies and not self._warned:
            self._warned = True
            log.warning(
                "X-Forwarded-For arrives from %s, and no proxy is trusted: set TRUSTED_PROXIES if this "
                "service is behind one; if it is not, a client made the header up",
                environ["REMOTE_ADDR"],
            )
        return self._inside(environ, start_response)  # type: ignore[no-any-return]

    def _client(self, peer: str, forwarded: str) -> tuple[str, bool]:
        """The client's address, and whether the peer is a trusted proxy."""
        return self._proxies.client(peer, forwarded), self._proxies.trusts(read(peer), 0)
