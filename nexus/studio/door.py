"""The door of the studio: one host, a link that is good once, then a cookie, and a token in each form."""

import secrets
from threading import Lock

from flask import Blueprint, Flask, Response, current_app, redirect, request, url_for

from nexus.errors import CrossOrigin
from nexus.pages.page import show
from nexus.security.origins import CHANGING, refuse_cross_origin

door = Blueprint("door", __name__)

HTTP = 80


class Door:
    """What opens one run of the studio; all of it is forgotten at its end."""

    def __init__(self, port: int) -> None:
        """Make the secrets of a run on a port of 127.0.0.1."""
        # Browsers leave out the port that http has anyway.
        self.host = "127.0.0.1" if port == HTTP else f"127.0.0.1:{port}"
        #: Ports of one host share their cookies, so the name tells two runs apart.
        self.cookie = f"nexus_studio_{port}"
        self.form_token = secrets.token_urlsafe(32)
        self._session = secrets.token_urlsafe(32)
        self._key: str | None = secrets.token_urlsafe(32)
        self._lock = Lock()

    @property
    def link(self) -> str:
        """The address that opens it, once."""
        return f"http://{self.host}/open?key={self._key}"

    def init_app(self, app: Flask) -> None:
        """Stand before everything but the assets, which are no secret."""
        app.extensions["door"] = self
        app.before_request(self._admit)
        app.register_blueprint(door)

    def enter(self, key: str) -> bool:
        """Whether this is the key, which it is once."""
        with self._lock:
            if self._key is None or not _same(key, self._key):
                return False
            self._key = None
            return True

    def give_cookie(self, response: Response) -> None:
        """Let whoever gets this answer in, for as long as their browser and this run last."""
        response.set_cookie(self.cookie, self._session, httponly=True, samesite="Strict")

    def _admit(self) -> Response | None:
        # A page of another site may give its own name our address, and be of the same origin then.
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
    """Take the key of the link for the cookie."""
    ours: Door = current_app.extensions["door"]
    # Whoever only looks where the link leads does not use it up.
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
