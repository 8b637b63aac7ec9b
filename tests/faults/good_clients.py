"""Good clients under way, and how they are answered."""

import time
from collections import Counter
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from threading import Event, Thread
from typing import Any, Self

PATH = "/api/products?userId=1"


class Load:
    """Clients that ask one request after the other, on connections that they keep, until told to stop.

    `counts` has the answers by status, and what failed by the name of its error. A client that was refused
    a connection asks again. Each of `pauses` is one client's, in seconds between two requests; where it is
    None, the client takes a new connection for each of them.
    """

    def __init__(self, port: int, pauses: list[float | None]) -> None:
        """Take where to ask, and how."""
        self.counts: Counter[Any] = Counter()
        #: Seconds that each answer took.
        self.times: list[float] = []
        self._port = port
        self._enough = Event()
        self._clients = [Thread(target=self._ask, args=(pause,)) for pause in pauses]

    def __enter__(self) -> Self:
        """Begin."""
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the last answers."""
        self._enough.set()
        for client in self._clients:
            client.join()

    def _ask(self, pause: float | None) -> None:
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=30)) as connection:
            while not self._enough.wait(pause or 0.005):
                start = time.perf_counter()
                try:
                    connection.request("GET", PATH)
                    answer = connection.getresponse()
                    answer.read()
                    self.counts[answer.status] += 1
                    self.times.append(time.perf_counter() - start)
                except (OSError, HTTPException) as error:
                    self.counts[type(error).__name__] += 1
                    connection.close()
                if pause is None:
                    connection.close()
