"""Rates: how often something may be done, written as `10/minute`."""

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
WRITTEN = re.compile(rf"([1-9][0-9]{{0,5}})/({'|'.join(UNITS)})", re.ASCII)


@dataclass(frozen=True)
class Rate:
    """A burst of `count`, refilled evenly within `seconds`."""

    count: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `10/minute`; ValueError for anything else."""
        written = WRITTEN.fullmatch(text.strip())
        if written is None:
            raise ValueError(f"must be a number and one of {', '.join(UNITS)}, as in 10/minute")
        return cls(int(written[1]), UNITS[written[2]])

    def times(self, factor: int) -> Self:
        """This rate multiplied by a factor."""
        return replace(self, count=self.count * factor)

    @property
    def spacing(self) -> timedelta:
        """The time in which one is refilled: rounded up to whole microseconds, the finest unit stored."""
        return timedelta(microseconds=-(-self.seconds * 1_000_000 // self.count))

    @property
    def reach(self) -> timedelta:
        """The time in which all are refilled."""
        return self.spacing * self.count

    def __str__(self) -> str:
        return f"{self.count}/{self.seconds}s"
