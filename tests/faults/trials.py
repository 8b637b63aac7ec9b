"""One fault under load: from the last answer before it to the first after it, and the row that it leaves."""

import time
from collections import Counter
from itertools import pairwise
from types import TracebackType
from typing import Any, Self

from tests.faults.clusters import Postgres
from tests.faults.load import GOOD, Load
from tests.faults.shop import Balance, balance

#: Successes in a row of each client that show that all is well, before a fault and after it.
STEADY = 20
#: Seconds within which a fault has met everybody.
HASTE = 5
ORDERING = ("order", "order once")
LOOKING = ("browse", "search")


class Trial:
    """A block in which a fault lasts, while clients browse and order before, during and after it."""

    def __init__(self, load: Load, postgres: Postgres, fault: str, *allowed: str) -> None:
        """Take where the orders must be at the end, and what answers beside successes there may be."""
        self.load = load
        self.postgres = postgres
        self.fault = fault
        #: What is told of it in the table of docs/reliability.md, once it is over.
        self.row: dict[str, Any] = {}
        self.allowed = allowed

    def __enter__(self) -> Self:
        begun = time.monotonic()
        self.load.start()
        self.load.until_all_succeed(begun, times=STEADY)
        self.began = time.monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        self.ended = time.monotonic()
        if kind is not None:
            self.load.stop(at_once=True)
            return
        try:
            self.load.until_all_succeed(self.ended, times=STEADY)
        except AssertionError:
            self.load.stop(at_once=True)
            raise
        self.load.stop()

    def waited(self) -> int:
        """How many requests of before the fault or of its first seconds were answered only after it."""
        early = self.began + HASTE
        return sum(answer.began < early and answer.ended > self.ended for answer in self.load.answers())

    def sum_up(self) -> None:
        """Fill the row, whatever it tells."""
        self.balance: Balance = balance(self.load, self.postgres)
        answers = self.load.answers()
        orders = [answer.ended for answer in answers if answer.good and answer.verb in ORDERING]
        pages = [answer.ended for answer in answers if answer.good and answer.verb in LOOKING]
        back = next(ended for ended in orders if ended > self.ended)
        self.row |= {
            "fault": self.fault,
            "server": self.postgres.version(),
            "lasted": round(self.ended - self.began, 1),
            "answers": told(self.load.kinds()),
            "no order": gap(orders),
            "no page": gap(pages),
            "back": round(back - self.ended, 1),
            "slowest": round(max(answer.ended - answer.began for answer in answers), 1),
            **self.balance._asdict(),
        }

    def check(self) -> None:
        """Hold it against what clients were promised."""
        before = {answer.kind for answer in self.load.answers() if answer.ended < self.began}
        assert before <= set(GOOD)
        unforeseen = self.load.kinds().keys() - {*GOOD, *self.allowed}
        assert not unforeseen, f"{self.fault}: {told(self.load.kinds())}"
        assert self.balance[1:] == (0, 0, 0), f"{self.fault}: {self.balance}"


def gap(times: list[float]) -> float:
    """The longest time without one of them, in seconds."""
    return round(max(later - earlier for earlier, later in pairwise(times)), 1)


def told(kinds: Counter[str]) -> str:
    """Counts of answers in words, the most frequent first."""
    return ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common())
