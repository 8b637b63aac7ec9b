"""Clients who browse, order and sell during a fault, and the responses they get."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from typing import Any, NamedTuple
from uuid import uuid4

from tests.factories import PASSWORD

GOOD = ("200", "201")
NOTHING = "no answer"
#: Seconds after which a client gives up waiting for a response: longer than any timeout of the service.
TIMEOUT = 60
#: Seconds before a client retries after a failure.
PAUSE = 0.1
#: Responses after which a careful client retries the same request.
RETRYABLE = ("503", "409 idempotency_in_progress", NOTHING)


class Answer(NamedTuple):
    """The outcome of one request."""

    began: float
    ended: float
    verb: str
    #: The status, and for a failure the code of the problem.
    kind: str

    @property
    def good(self) -> bool:
        """Whether the request succeeded."""
        return self.kind in GOOD


class Target(NamedTuple):
    """The target of the load: a server, one of its products, and the product's seller."""

    port: int
    product: int
    email: str
    token: str


class Closing:
    """The events that stop clients."""

    def __init__(self) -> None:
        #: Clients start no new request.
        self.begun = threading.Event()
        #: Clients do not retry any more, either.
        self.now = threading.Event()


class Client:
    """A client in a thread, with random actions and a record of what was acknowledged."""

    def __init__(self, target: Target, mix: dict[str, float], seed: str, closing: "Closing") -> None:
        self.target = target
        self.answers: list[Answer] = []
        #: The e-mail address under which each acknowledged order was placed, by the order's id.
        self.placed: dict[str, str] = {}
        #: The acknowledged orders whose payment was acknowledged too.
        self.paid: list[str] = []
        self._mix = mix
        self._random = random.Random(seed)
        self._closing = closing
        self._http = HTTPConnection("127.0.0.1", target.port, timeout=TIMEOUT)
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        verbs: dict[str, Callable[[], None]] = {
            "browse": self._browse,
            "search": self._search,
            "order": self._order,
            "order once": self._order_once,
            "move": self._move,
            "sign in": self._sign_in,
        }
        while not self._closing.begun.is_set():
            verbs[self._random.choices(list(self._mix), list(self._mix.values()))[0]]()
        self._http.close()

    def _browse(self) -> None:
        self._ask("browse", "GET", f"/api/products/{self.target.product}")

    def _search(self) -> None:
        self._ask("search", "GET", "/api/products?q=course")

    def _order(self) -> None:
        """Order with an idempotency key, and retry until there is a response."""
        self._place("order", until_answered=True, **{"Idempotency-Key": str(uuid4())})

    def _order_once(self) -> None:
        """Order without a key, and do not retry."""
        self._place("order once", until_answered=False)

    def _place(self, verb: str, *, until_answered: bool, **headers: str) -> None:
        body: dict[str, Any] = {"productId": self.target.product, "email": f"{uuid4()}@example.com"}
        answer = self._ask(verb, "POST", "/api/orders", body, until_answered=until_answered, **headers)
        if answer:
            self.placed[answer["order"]["id"]] = body["email"]

    def _move(self) -> None:
        """As the seller, mark the newest order as paid, and retry until there is a response."""
        order = next(reversed(self.placed), None)
        if order is None or order in self.paid[-1:]:
            return
        path, bearer = f"/api/orders/{order}", {"Authorization": f"Bearer {self.target.token}"}
        if self._ask("move", "PATCH", path, {"status": "paid"}, until_answered=True, **bearer):
            self.paid.append(order)

    def _sign_in(self) -> None:
        credentials = {"email": self.target.email, "password": PASSWORD}
        self._ask("sign in", "POST", "/api/auth/login", credentials)

    def _ask(
        self,
        verb: str,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        until_answered: bool = False,
        **headers: str,
    ) -> Any:
        """Send a request, with retries if requested; return the body of a success, or None."""
        sent = json.dumps(body) if body else None
        headers |= {"Content-Type": "application/json"} if body else {}
        while True:
            began = time.monotonic()
            try:
                self._http.request(method, path, sent, headers)
                response = self._http.getresponse()
                answer = json.loads(response.read())
                kind = str(response.status)
                if kind not in GOOD:
                    kind = f"{kind} {answer.get('code')}"
            except (OSError, HTTPException):
                self._http.close()
                kind, answer = NOTHING, None
            self.answers.append(Answer(began, time.monotonic(), verb, kind))
            if kind in GOOD:
                return answer
            time.sleep(PAUSE)
            if self._closing.now.is_set() or not (until_answered and kind.startswith(RETRYABLE)):
                return None


#: The actions of clients during a fault with their weights: most buy, and some only read.
BUYERS = {"browse": 5.0, "search": 2.0, "order": 4.0, "order once": 2.0, "move": 1.0}
READERS = {"browse": 3.0, "search": 1.0}


class Load:
    """Several concurrent clients; every fourth only reads, so that reads go on while orders fail."""

    def __init__(
        self, target: Target, *, clients: int = 16, buyers: dict[str, float] = BUYERS, seed: int = 0
    ) -> None:
        self._closing = Closing()
        self.clients = [
            Client(target, buyers if number % 4 else READERS, f"{seed} {number}", self._closing)
            for number in range(clients)
        ]

    def start(self) -> None:
        """Start all clients."""
        for client in self.clients:
            client.thread.start()

    def stop(self, *, at_once: bool = False) -> None:
        """Stop all clients; with `at_once`, without waiting for responses to retried requests."""
        self._closing.begun.set()
        if at_once:
            self._closing.now.set()
        for client in self.clients:
            client.thread.join(timeout=3 * TIMEOUT)
            assert not client.thread.is_alive(), "a client still waits for an answer to its order"

    def until_all_succeed(self, since: float, *, times: int) -> None:
        """Wait until the last `times` requests of each client were sent after `since` and succeeded."""
        deadline = time.monotonic() + 3 * TIMEOUT
        for client in self.clients:
            while not (
                len(client.answers) >= times
                and all(answer.good and answer.began >= since for answer in client.answers[-times:])
            ):
                assert time.monotonic() < deadline, f"no recovery: {client.answers[-1:]}"
                time.sleep(0.02)

    def until_one_gets(self, kind: str, *, since: float) -> None:
        """Wait until a client has got a response of this kind after `since`."""
        deadline = time.monotonic() + 3 * TIMEOUT
        while not any(
            answer.kind == kind and answer.ended > since
            for client in self.clients
            for answer in reversed(client.answers)
        ):
            assert time.monotonic() < deadline, f"no client got {kind}"
            time.sleep(0.02)

    def answers(self) -> list[Answer]:
        """Return all responses so far, ordered by time."""
        return sorted((answer for client in self.clients for answer in client.answers), key=lambda a: a.ended)

    def kinds(self) -> Counter[str]:
        """Count the responses by kind."""
        return Counter(answer.kind for answer in self.answers())

    def placed(self) -> dict[str, str]:
        """Return every acknowledged order, with the e-mail address it was placed with."""
        return {order: email for client in self.clients for order, email in client.placed.items()}

    def paid(self) -> set[str]:
        """Return every order whose payment was acknowledged."""
        return {order for client in self.clients for order in client.paid}
