"""The part of a worker that runs in its threads: calling the application, sending its response, and what
follows it.
"""

from collections import deque
from collections.abc import Callable
from threading import Lock
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
from nexus.wsgi_keys import AFTERWARDS

#: How many requests may leave something to be done, about a kilobyte each.
MOST_LEFT = 10_000
#: For how many requests it is done together: eight log lines still fit into the 4,096 bytes that a pipe keeps
#: apart from what other processes write.
TOGETHER = 8
#: The statuses for requests that gunicorn cannot parse, by its exception; 400 for any other.
STATUSES = {LimitRequestLine: 414, LimitRequestHeaders: 431, UnsupportedTransferCoding: 501}


class Answering(Sibling):
    """A worker that answers requests in its threads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Called in the master, before the worker's process is forked."""
        super().__init__(*args, **kwargs)
        #: What requests have left to be done after their responses.
        self.left: deque[tuple[Callable[[list[Any]], object], Any]] = deque()
        self._doing = Lock()
        self._plain = Plain(self.cfg)

    def handle(self, conn: Connection) -> bool:
        """Handle, in a thread, a request that has arrived; return whether the connection can be kept."""
        if conn.environ is None:
            return bool(super().handle(conn))
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("This process is replaced with a new one after its maximum of requests")
            self.alive = False
        return self._ask(conn.environ, conn.sock, conn.client, last=not self.alive)

    def do_left(self) -> None:
        """Do what has been put off, unless another thread is doing that."""
        if not self._doing.acquire(blocking=False):
            return
        try:
            while self.left:
                do, what = self.left.popleft()
                together = [what]
                while self.left and self.left[0][0] is do and len(together) < TOGETHER:
                    together.append(self.left.popleft()[1])
                self._do(do, together)
        finally:
            self._doing.release()

    def _do(self, do: Callable[[list[Any]], object], together: list[Any]) -> None:
        try:
            do(together)
        except Exception:
            self.log.exception("A request was answered, but not counted or logged")

    def put_off(self, do: Callable[[list[Any]], object], what: Any) -> None:
        """Do something after the response, or now if much is left already, as while nobody reads the log."""
        if len(self.left) < MOST_LEFT:
            self.left.append((do, what))
        else:
            do([what])

    def refuse(self, sock: Any, client: Any, status: int, why: object) -> None:
        """Let the application answer, with this status, a request that is malformed or incomplete."""
        self.log.info("A request is refused with %s: %s", status, why)
        self._ask(self._plain.refused(status), sock, client, last=True)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Tell a client what is wrong with its request, or that the server has failed."""
        ours = (InvalidResponseHeader, InvalidResponseHeaderName)
        # After the colon the message quotes the request, which may contain a password.
        if isinstance(exc, ParseException) and not isinstance(exc, ours):
            self.refuse(client, addr, STATUSES.get(type(exc), 400), str(exc).partition(":")[0])
        else:
            super().handle_error(req, client, addr, exc)

    def _ask(self, environ: dict[str, Any], sock: Any, client: Any, *, last: bool) -> bool:
        """Let the application answer; return whether the connection can be kept."""
        environ[AFTERWARDS] = self.put_off
        try:
            return self._plain.answer(self.wsgi, environ, sock, last=last)
        except CutOff:
            self.log.exception("A response was cut off")
        except OSError as error:
            self.log.debug("A client has disconnected: %s", error)
        except Exception as error:  # noqa: BLE001 - the client must get a response in any case.
            super().handle_error(None, sock, client, error)
        return False

    def handle_request(self, req: Any, conn: Connection) -> bool:
        """Handle a request that gunicorn has parsed."""
        # The loop has already sent 100 Continue.
        req._expected_100_continue = False
        if not conn.goes_on:
            req.force_close()
        return bool(super().handle_request(req, conn))

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:  # noqa: FBT001 - gunicorn's.
        # The rest of the body has arrived, so this does not wait.
        return bool(keepalive and conn.goes_on and conn.parser.finish_body())
