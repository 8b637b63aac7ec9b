"""Rates: how often something may be done, as `10/minute` says it."""

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
WRITTEN = re.compile(rf"([1-9][0-9]{{0,5}})/({'|'.join(UNITS)})", re.ASCII)


@dataclass(frozen=True)
class Rate:
    """So many at once, and as many again in so many seconds, spread evenly."""

    count: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `10/minute`; ValueError for anything else."""
        written = WRITTEN.fullmatch(text.strip())
        if written is None:
            raise ValueError(f"must be a number and one of {', '.join(UNITS)}, as in 10/minute")
        return cls(int(written[1]), UNITS[written[2]])

    def times(self, factor: int) -> Self:
        """A rate that is so many times as large."""
        return replace(self, count=self.count * factor)

    @property
    def spacing(self) -> timedelta:
        """How long one takes to come back: rounded up, since whole microseconds are all that is counted."""
        return timedelta(microseconds=-(-self.seconds * 1_000_000 // self.count))

    @property
    def reach(self) -> timedelta:
        """How long all of them take to come back."""
        return self.spacing * self.count

    def __str__(self) -> str:
        return f"{self.count}/{self.seconds}s"
