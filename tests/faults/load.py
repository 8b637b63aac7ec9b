"""Clients who browse, order and sell while something breaks, and what they were answered."""

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
#: Seconds after which a client gives up on an answer. None of the service's limits is as long.
PATIENCE = 60
#: Seconds that a client waits before it asks again after a failure.
PAUSE = 0.1
#: Answers after which a careful client sends the same request again.
AGAIN = ("503", "409 idempotency_in_progress", NOTHING)


class Answer(NamedTuple):
    """What came of one request."""

    began: float
    ended: float
    verb: str
    #: Status and, where it is no success, the code of the problem.
    kind: str

    @property
    def good(self) -> bool:
        """Whether it is what was asked for."""
        return self.kind in GOOD


class Stall(NamedTuple):
    """Where the load is sent: a server, one of its products, and the product's seller."""

    port: int
    product: int
    email: str
    token: str


class Closing:
    """What tells clients to go."""

    def __init__(self) -> None:
        #: They begin nothing new.
        self.begun = threading.Event()
        #: They do not even wait for the answer that they still need.
        self.now = threading.Event()


class Client:
    """One who does what they like, in a thread of their own, and keeps what was acknowledged to them."""

    def __init__(self, stall: Stall, mix: dict[str, float], seed: str, closing: "Closing") -> None:
        self.stall = stall
        self.answers: list[Answer] = []
        #: The e-mail address under which each acknowledged order was placed, by the order's id.
        self.placed: dict[str, str] = {}
        #: The acknowledged orders that were acknowledged to have moved as well.
        self.paid: list[str] = []
        self._mix = mix
        self._chance = random.Random(seed)
        self._closing = closing
        self._http = HTTPConnection("127.0.0.1", stall.port, timeout=PATIENCE)
        self.thread = threading.Thread(target=self._live, daemon=True)

    def _live(self) -> None:
        verbs: dict[str, Callable[[], None]] = {
            "browse": self._browse,
            "search": self._search,
            "order": self._order,
            "order once": self._order_once,
            "move": self._move,
            "sign in": self._sign_in,
        }
        while not self._closing.begun.is_set():
            verbs[self._chance.choices(list(self._mix), list(self._mix.values()))[0]]()
        self._http.close()

    def _browse(self) -> None:
        self._ask("browse", "GET", f"/api/products/{self.stall.product}")

    def _search(self) -> None:
        self._ask("search", "GET", "/api/products?q=course")

    def _order(self) -> None:
        """Order under a key, and send the same again until an answer comes."""
        self._place("order", until_answered=True, **{"Idempotency-Key": str(uuid4())})

    def _order_once(self) -> None:
        """Order without a key and believe what is said."""
        self._place("order once", until_answered=False)

    def _place(self, verb: str, *, until_answered: bool, **headers: str) -> None:
        body: dict[str, Any] = {"productId": self.stall.product, "email": f"{uuid4()}@example.com"}
        told = self._ask(verb, "POST", "/api/orders", body, until_answered=until_answered, **headers)
        if told:
            self.placed[told["order"]["id"]] = body["email"]

    def _move(self) -> None:
        """As the seller, take the money for the newest order that is not paid, until an answer comes."""
        order = next(reversed(self.placed), None)
        if order is None or order in self.paid[-1:]:
            return
        path, bearer = f"/api/orders/{order}", {"Authorization": f"Bearer {self.stall.token}"}
        if self._ask("move", "PATCH", path, {"status": "paid"}, until_answered=True, **bearer):
            self.paid.append(order)

    def _sign_in(self) -> None:
        credentials = {"email": self.stall.email, "password": PASSWORD}
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
        """Send a request, again and again if need be; the body of a success, or None."""
        sent = json.dumps(body) if body else None
        headers |= {"Content-Type": "application/json"} if body else {}
        while True:
            began = time.monotonic()
            try:
                self._http.request(method, path, sent, headers)
                response = self._http.getresponse()
                told = json.loads(response.read())
                kind = str(response.status)
                if kind not in GOOD:
                    kind = f"{kind} {told.get('code')}"
            except (OSError, HTTPException):
                self._http.close()
                kind, told = NOTHING, None
            self.answers.append(Answer(began, time.monotonic(), verb, kind))
            if kind in GOOD:
                return told
            time.sleep(PAUSE)
            if self._closing.now.is_set() or not (until_answered and kind.startswith(AGAIN)):
                return None


#: What people do while something breaks, by how often: most buy, and some only look.
BUYERS = {"browse": 5.0, "search": 2.0, "order": 4.0, "order once": 2.0, "move": 1.0}
LOOKERS = {"browse": 3.0, "search": 1.0}


class Load:
    """Several clients at once; every fourth only looks, so that somebody does while orders fail."""

    def __init__(
        self, stall: Stall, *, clients: int = 16, buyers: dict[str, float] = BUYERS, seed: int = 0
    ) -> None:
        self._closing = Closing()
        self.clients = [
            Client(stall, buyers if number % 4 else LOOKERS, f"{seed} {number}", self._closing)
            for number in range(clients)
        ]

    def start(self) -> None:
        """Let all of them begin."""
        for client in self.clients:
            client.thread.start()

    def stop(self, *, at_once: bool = False) -> None:
        """Let each of them finish what they wait for, unless there is no time."""
        self._closing.begun.set()
        if at_once:
            self._closing.now.set()
        for client in self.clients:
            client.thread.join(timeout=3 * PATIENCE)
            assert not client.thread.is_alive(), "a client still waits for an answer to its order"

    def until_all_succeed(self, since: float, *, times: int) -> None:
        """Wait until each client has had so many successes in a row that were asked for since a moment."""
        deadline = time.monotonic() + 3 * PATIENCE
        for client in self.clients:
            while not (
                len(client.answers) >= times
                and all(answer.good and answer.began >= since for answer in client.answers[-times:])
            ):
                assert time.monotonic() < deadline, f"no recovery: {client.answers[-1:]}"
                time.sleep(0.02)

    def answers(self) -> list[Answer]:
        """Every answer so far, as they ended."""
        return sorted((answer for client in self.clients for answer in client.answers), key=lambda a: a.ended)

    def kinds(self) -> Counter[str]:
        """How many answers there were of each kind."""
        return Counter(answer.kind for answer in self.answers())

    def placed(self) -> dict[str, str]:
        """Every order that was acknowledged, with the address under which it was placed."""
        return {order: email for client in self.clients for order, email in client.placed.items()}

    def paid(self) -> set[str]:
        """Every order that was acknowledged to be paid."""
        return {order for client in self.clients for order in client.paid}
