"""What a worker does in its threads: have the application answer a request, and send what it says."""

from typing import Any

from gunicorn.http.errors import (  # type: ignore[import-untyped]
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)

from nexus.serving.peer import Connection
from nexus.serving.plain import CutOff, Plain
from nexus.serving.siblings import Sibling

#: The statuses of requests that gunicorn cannot read, by its error; 400 for any other error.
STATUSES = {LimitRequestLine: 414, LimitRequestHeaders: 431, UnsupportedTransferCoding: 501}


class Answering(Sibling):
    """A worker as its threads see it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Called in the master, before the worker's process is forked."""
        super().__init__(*args, **kwargs)
        self._plain = Plain(self.cfg)

    def handle(self, conn: Connection) -> bool:
        """Work, in a thread, on a request that has arrived; whether its client may go on."""
        if conn.environ is None:
            return bool(super().handle(conn))
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("This process makes room for a new one after so many requests")
            self.alive = False
        return self._ask(conn.environ, conn.sock, conn.client, last=not self.alive)

    def refuse(self, sock: Any, client: Any, status: int, why: object) -> None:
        """Have the application answer, with this status, a request that is malformed or did not arrive."""
        self.log.info("A request is refused with %s: %s", status, why)
        self._ask(self._plain.refused(status), sock, client, last=True)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Tell a client what was wrong with its request, or that the fault is the server's."""
        ours = (InvalidResponseHeader, InvalidResponseHeaderName)
        # Behind the colon the message quotes the request, where a password may stand.
        if isinstance(exc, ParseException) and not isinstance(exc, ours):
            self.refuse(client, addr, STATUSES.get(type(exc), 400), str(exc).partition(":")[0])
        else:
            super().handle_error(req, client, addr, exc)

    def _ask(self, environ: dict[str, Any], sock: Any, client: Any, *, last: bool) -> bool:
        """Have the application answer; whether the client may go on."""
        try:
            return self._plain.answer(self.wsgi, environ, sock, last=last)
        except CutOff:
            self.log.exception("An answer ends before its end")
        except OSError as error:
            self.log.debug("A client has gone: %s", error)
        except Exception as error:  # noqa: BLE001 - the client is to hear of whatever went wrong.
            super().handle_error(None, sock, client, error)
        return False

    def handle_request(self, req: Any, conn: Connection) -> bool:
        """Work on a request that gunicorn has read."""
        # The loop has sent 100 Continue already.
        req._expected_100_continue = False
        if not conn.goes_on:
            req.force_close()
        return bool(super().handle_request(req, conn))

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:  # noqa: FBT001 - gunicorn's.
        # What is left of its body is here, and nothing is waited for.
        return bool(keepalive and conn.goes_on and conn.parser.finish_body())
