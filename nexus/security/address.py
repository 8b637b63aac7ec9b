"""Where a request comes from, as far as that can be trusted."""

import logging
from collections.abc import Iterable
from typing import Any

from flask import Flask, request

from nexus.config import Settings
from nexus.proxies import Proxies, read

log = logging.getLogger(__name__)


def client_address() -> str:
    """The address of the client, in its usual spelling; empty where nothing tells it."""
    return request.remote_addr or ""


def init_app(app: Flask, settings: Settings) -> None:
    """Let every request come from its client rather than from the proxies before us."""
    app.wsgi_app = ForwardedAddress(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign]


class ForwardedAddress:
    """WSGI middleware that corrects REMOTE_ADDR and the scheme by what trusted proxies say, and only then."""

    def __init__(self, inside: Any, proxies: Proxies) -> None:
        self._inside = inside
        self._proxies = proxies
        self._warned = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Pass a request on."""
        peer = environ.get("REMOTE_ADDR", "")
        forwarded = environ.get("HTTP_X_FORWARDED_FOR", "")
        environ["REMOTE_ADDR"] = self._proxies.client(peer, forwarded)
        if self._proxies.trusts(read(peer), 0):
            # What the nearest proxy says; those before it may have said anything.
            scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
            if scheme in ("http", "https"):
                environ["wsgi.url_scheme"] = scheme
        elif forwarded and not self._proxies and not self._warned:
            self._warned = True
            log.warning(
                "X-Forwarded-For arrives from %s, and no proxy is trusted: set TRUSTED_PROXIES if one stands "
                "before this service; if none does, a client made the header up",
                environ["REMOTE_ADDR"],
            )
        return self._inside(environ, start_response)  # type: ignore[no-any-return]
