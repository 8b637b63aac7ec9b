"""Well-behaved clients, and the responses that they get."""

import json
import time
from collections import Counter
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from threading import Event, Thread
from typing import Any, Self
from uuid import uuid4

PATH = "/api/products?userId=1"


class Load:
    """Clients that send one request after another over keep-alive connections until stopped.

    `counts` counts the responses by status, and failures by the name of the exception. A client whose
    connection is refused tries again. `pauses` has one entry per client, the seconds between two requests;
    with None, the client opens a new connection for each request. The requests are reads, or with
    `order` such orders, each with a key of its own; http.client sends their heads and bodies separately.
    """

    def __init__(self, port: int, pauses: list[float | None], *, order: dict[str, Any] | None = None) -> None:
        """Take the server's port, and one pause per client."""
        self._order = order
        self.counts: Counter[Any] = Counter()
        #: The seconds until each response.
        self.times: list[float] = []
        self._port = port
        self._stopped = Event()
        self._clients = [Thread(target=self._ask, args=(pause,)) for pause in pauses]

    def __enter__(self) -> Self:
        """Start the clients."""
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the clients, and wait for their last responses."""
        self._stopped.set()
        for client in self._clients:
            client.join()

    def _ask(self, pause: float | None) -> None:
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=30)) as connection:
            while not self._stopped.wait(pause or 0.005):
                start = time.perf_counter()
                try:
                    self._request(connection)
                    answer = connection.getresponse()
                    answer.read()
                    self.counts[answer.status] += 1
                    self.times.append(time.perf_counter() - start)
                except (OSError, HTTPException) as error:
                    self.counts[type(error).__name__] += 1
                    connection.close()
                if pause is None:
                    connection.close()

    def _request(self, connection: HTTPConnection) -> None:
        if self._order is None:
            connection.request("GET", PATH)
        else:
            headers = {"Content-Type": "application/json", "Idempotency-Key": uuid4().hex}
            connection.request("POST", "/api/orders", json.dumps(self._order), headers)
