"""Access to the studio: one host name, a link that works once, then a cookie, and a token in each form."""

import secrets
from threading import Lock

from flask import Blueprint, Flask, Response, current_app, redirect, request, url_for

from nexus.errors import CrossOrigin
from nexus.pages.page import show
from nexus.security.origins import CHANGING, refuse_cross_origin

door = Blueprint("door", __name__)

HTTP = 80


class Door:
    """The secrets of one run of the studio, which are forgotten when it ends."""

    def __init__(self, port: int) -> None:
        """Make the secrets of a run on a port of 127.0.0.1."""
        # Browsers leave out the default port.
        self.host = "127.0.0.1" if port == HTTP else f"127.0.0.1:{port}"
        #: All ports of a host share their cookies, so the name distinguishes concurrent runs.
        self.cookie = f"nexus_studio_{port}"
        self.form_token = secrets.token_urlsafe(32)
        self._session = secrets.token_urlsafe(32)
        self._key: str | None = secrets.token_urlsafe(32)
        self._lock = Lock()

    @property
    def link(self) -> str:
        """The link that opens the studio, once."""
        return f"http://{self.host}/open?key={self._key}"

    def init_app(self, app: Flask) -> None:
        """Guard everything but the assets, which are not secret."""
        app.extensions["door"] = self
        app.before_request(self._admit)
        app.register_blueprint(door)

    def enter(self, key: str) -> bool:
        """Use the key up; whether it was the right one, and unused."""
        with self._lock:
            if self._key is None or not _same(key, self._key):
                return False
            self._key = None
            return True

    def give_cookie(self, response: Response) -> None:
        """Let the browser that gets this response in, until it closes or this run ends."""
        response.set_cookie(self.cookie, self._session, httponly=True, samesite="Strict")

    def _admit(self) -> Response | None:
        # Against DNS rebinding: another site may point its own name at our address to be of the same origin.
        if request.headers.get("Host") != self.host:
            return Response("This is not the studio's address.\n", 421, content_type="text/plain")
        if request.blueprint in ("assets", "door"):
            return None
        if not _same(request.cookies.get(self.cookie, ""), self._session):
            return _closed()
        if request.method in CHANGING:
            refuse_cross_origin()
            if not _same(request.form.get("form_token", ""), self.form_token):
                raise CrossOrigin
        return None


@door.get("/open")
def enter() -> Response:
    """Exchange the link's key for the cookie."""
    ours: Door = current_app.extensions["door"]
    # A HEAD request, as link previews send it, does not use the key up.
    if request.method == "HEAD" or not ours.enter(request.args.get("key", "")):
        return _closed()
    response = redirect(url_for("studio.home"), 303)
    ours.give_cookie(response)  # type: ignore[arg-type]
    return response  # type: ignore[return-value]


def _closed() -> Response:
    response = show("data_closed.html")
    response.status_code = 403
    return response


def _same(given: str, secret: str) -> bool:
    return secrets.compare_digest(given.encode(), secret.encode())
