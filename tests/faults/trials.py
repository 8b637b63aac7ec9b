"""A trial: one fault under load, from before it until recovery, and its row of the table."""

import time
from collections import Counter
from itertools import pairwise
from types import TracebackType
from typing import Any, Self

from tests.faults.clusters import Postgres
from tests.faults.load import GOOD, Answer, Load
from tests.faults.shop import Balance, balance

#: The consecutive successes of each client that count as normal operation, before and after a fault.
STEADY = 20
#: Seconds within which a fault affects every client.
ONSET = 5
ORDERING = ("order", "order once")
READING = ("browse", "search")
#: The connections of the service; a process id alone might be given to another backend.
CONNECTIONS = "SELECT pid, backend_start FROM pg_stat_activity WHERE usename = 'nexus'"


class Trial:
    """A block in which a fault occurs, while clients browse and order before, during and after it."""

    def __init__(
        self, load: Load, postgres: Postgres, fault: str, causes: tuple[str, ...], allowed: tuple[str, ...]
    ) -> None:
        """Take the server that must have the orders at the end, and what fails certainly or perhaps."""
        self.load = load
        self.postgres = postgres
        self.fault = fault
        #: Its row in the table of docs/reliability.md, once it is over.
        self.row: dict[str, Any] = {}
        self.causes = causes
        self.allowed = allowed

    def __enter__(self) -> Self:
        begun = time.monotonic()
        self.load.start()
        self.load.until_all_succeed(begun, times=STEADY)
        #: The connections that the service had before the fault.
        self.connections = self._connections()
        self.began = time.monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        self.ended = time.monotonic()
        if kind is not None:
            self.load.stop(at_once=True)
            return
        try:
            for cause in self.causes:
                # Without it the fault had no effect, and the rest would show nothing.
                self.load.until_one_gets(cause, since=self.began)
            self.load.until_all_succeed(self.ended, times=STEADY)
        except AssertionError:
            self.load.stop(at_once=True)
            raise
        self.load.stop()

    def waited(self) -> list[Answer]:
        """Return the requests from before the fault or its first seconds that were answered only after it."""
        early = self.began + ONSET
        return [
            answer for answer in self.load.answers() if answer.began < early and answer.ended > self.ended
        ]

    def kept(self) -> set[tuple[Any, ...]]:
        """Return the connections of the service that outlived the fault."""
        return self.connections & self._connections()

    def _connections(self) -> set[tuple[Any, ...]]:
        return set(self.postgres.ask(CONNECTIONS))

    def sum_up(self) -> None:
        """Fill in the row, whatever the result."""
        self.balance: Balance = balance(self.load, self.postgres)
        answers = self.load.answers()
        orders = [answer.ended for answer in answers if answer.good and answer.verb in ORDERING]
        pages = [answer.ended for answer in answers if answer.good and answer.verb in READING]
        back = next(ended for ended in orders if ended > self.ended)
        self.row |= {
            "fault": self.fault,
            "server": self.postgres.version(),
            "lasted": round(self.ended - self.began, 1),
            "answers": listed(self.load.kinds()),
            "no order": gap(orders),
            "no page": gap(pages),
            "back": round(back - self.ended, 1),
            "slowest": round(max(answer.ended - answer.began for answer in answers), 1),
            **self.balance._asdict(),
        }

    def check(self) -> None:
        """Check the result against what the service guarantees."""
        before = {answer.kind for answer in self.load.answers() if answer.ended < self.began}
        assert before <= set(GOOD)
        unexpected = self.load.kinds().keys() - {*GOOD, *self.causes, *self.allowed}
        assert not unexpected, f"{self.fault}: {listed(self.load.kinds())}"
        assert self.balance[1:] == (0, 0, 0), f"{self.fault}: {self.balance}"


def gap(times: list[float]) -> float:
    """Return the longest interval between them, in seconds."""
    return round(max(later - earlier for earlier, later in pairwise(times)), 1)


def listed(kinds: Counter[str]) -> str:
    """Format counts of responses, the most frequent first."""
    return ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common())
