"""Sales statistics: input and output of the API."""

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
#: How many products are listed by name; the rest is summed up.
MAX_NAMED = 100


def _day(value: object) -> date:
    try:
        # A period ends at the midnight after its last day, so there must be a next day.
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
    # Without those that only mean this machine's zone, or none.
    return available_timezones() - {"localtime", "Factory"}


Day = Annotated[date, BeforeValidator(_day)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone), WithJsonSchema({"type": "string", "examples": ["UTC"]})]


class StatsQuery(Input):
    """From which day to which, both inclusive, and in which intervals."""

    since: Day | None = Field(None, alias="from", description="The first day; by default 29 before the last.")
    to: Day | None = Field(None, description="The last day; by default today.")
    interval: Interval = Field("day", description="The length of the intervals.")
    time_zone: Zone = Field(
        ZoneInfo("UTC"), alias="tz", description="The time zone of the days, such as `Europe/Moscow`."
    )

    def period(self) -> Period:
        """The period that was asked for."""
        last = self.to or datetime.now(self.time_zone).date()
        # Python has no day before 0001-01-01.
        month = date.fromordinal(max(1, last.toordinal() - 29))
        return Period(self.since or month, last, self.interval, self.time_zone)


class SaleOut(TypedDict):
    """The number of orders with this status, and their total in the currency's smallest unit."""

    status: Status
    currency: str
    orders: int
    amount: int


#: In functional syntax, since `from` is a keyword.
IntervalOut = TypedDict("IntervalOut", {"from": str, "to": str, "sales": list[SaleOut]})


class SoldProductOut(TypedDict):
    """A product and its sales; a deleted one has no id, and its name is from its orders."""

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
Stats.__doc__ = "What was sold in a period: in total, by interval, and by product for the best-selling ones."


def stats_out(period: Period, sold: Sales) -> Stats:
    """Represent what was sold."""
    starts = list(period.starts())
    ends = [*(day - timedelta(days=1) for day in starts[1:]), period.last]
    named, others = sold.products[:MAX_NAMED], sold.products[MAX_NAMED:]
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
        # A sum of 64-bit amounts may need more bits, which orjson would refuse to write.
        "amount": orjson.Fragment(str(sale.amount)),  # type: ignore[typeddict-item]
    }
