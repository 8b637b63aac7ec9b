"""What was sold, on the wire."""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import cache
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

import orjson
from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from nexus.models.stats import Period, Sale, Sales
from nexus.schemas.fields import Input
from nexus.schemas.orders import Status

Interval = Literal["day", "week", "month"]
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
#: An answer has no more products by name; the rest stands in one sum.
NAMED = 100


def _day(value: object) -> date:
    try:
        # A period ends with the beginning of the day after its last, which must exist.
        if isinstance(value, str) and DAY.fullmatch(value) and value < "9999":
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise PydanticCustomError("not_a_day", "not a day")


def _zone(value: object) -> ZoneInfo:
    if value not in _zones():
        raise PydanticCustomError("not_a_time_zone", "not a time zone")
    return ZoneInfo(str(value))


@cache
def _zones() -> set[str]:
    # Whichever is this machine's, and the one of a machine that was told none.
    return available_timezones() - {"localtime", "Factory"}


Day = Annotated[date, BeforeValidator(_day)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone), WithJsonSchema({"type": "string", "examples": ["UTC"]})]


class StatsQuery(Input):
    """Which days, both included, and how they are put together."""

    since: Day | None = Field(None, alias="from", description="The first day; 29 before the last if absent.")
    to: Day | None = Field(None, description="The last day; today where it is absent.")
    interval: Interval = Field("day", description="What each part of the answer sums up.")
    time_zone: Zone = Field(
        ZoneInfo("UTC"), alias="tz", description="In which days begin, such as `Europe/Moscow`."
    )

    def period(self) -> Period:
        """What was asked for."""
        last = self.to or datetime.now(self.time_zone).date()
        # There is no day before the first of all.
        month = date.fromordinal(max(1, last.toordinal() - 29))
        return Period(self.since or month, last, self.interval, self.time_zone)


class SaleOut(TypedDict):
    """So many orders with this status, and the sum of their amounts in the currency's smallest unit."""

    status: Status
    currency: str
    orders: int
    amount: int


#: `from` is a word of Python.
IntervalOut = TypedDict("IntervalOut", {"from": str, "to": str, "sales": list[SaleOut]})


class SoldProductOut(TypedDict):
    """A product and its sales; one that is gone has no id, and the name that its orders have."""

    productId: int | None
    name: str
    sales: list[SaleOut]


Stats = TypedDict(
    "Stats",
    {
        "from": str,
        "to": str,
        "interval": Interval,
        "timeZone": str,
        "totals": list[SaleOut],
        "intervals": list[IntervalOut],
        "products": list[SoldProductOut],
        "otherProducts": list[SaleOut],
    },
)
Stats.__doc__ = "What was sold in a period: in all, in each interval, and of each of the best products."


def stats_out(period: Period, sold: Sales) -> Stats:
    """Represent what was sold."""
    starts = list(period.starts())
    ends = [*(day - timedelta(days=1) for day in starts[1:]), period.last]
    named, others = sold.products[:NAMED], sold.products[NAMED:]
    return {
        "from": period.first.isoformat(),
        "to": period.last.isoformat(),
        "interval": period.interval,  # type: ignore[typeddict-item]  # The query has no other.
        "timeZone": period.zone.key,
        "totals": _sum(sold.intervals),
        "intervals": [
            {"from": start.isoformat(), "to": end.isoformat(), "sales": [_sale(sale) for sale in sales]}
            for start, end, sales in zip(starts, ends, sold.intervals, strict=True)
        ],
        "products": [
            {"productId": each.id, "name": each.name, "sales": [_sale(sale) for sale in each.sales]}
            for each in named
        ],
        "otherProducts": _sum(each.sales for each in others),
    }


def _sum(parts: Iterable[list[Sale]]) -> list[SaleOut]:
    orders: Counter[tuple[str, str]] = Counter()
    amounts: Counter[tuple[str, str]] = Counter()
    for part in parts:
        for sale in part:
            orders[sale.status, sale.currency] += sale.orders
            amounts[sale.status, sale.currency] += sale.amount
    return [_sale(Sale(*key, orders[key], amounts[key])) for key in sorted(orders)]


def _sale(sale: Sale) -> SaleOut:
    return {
        "status": sale.status,  # type: ignore[typeddict-item]  # A CHECK holds it to these.
        "currency": sale.currency,
        "orders": sale.orders,
        # Many amounts of 64 bits have a sum that needs more, which orjson would not write.
        "amount": orjson.Fragment(str(sale.amount)),  # type: ignore[typeddict-item]
    }
