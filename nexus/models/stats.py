"""Sales statistics: orders and their sums by time, by product and by status."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import peewee
from peewee import SQL, fn

from nexus.models.catalog import Product
from nexus.models.orders import Order
from nexus.models.users import User

#: By interval, status and currency, and also by product, its name, status and currency: in one statement, so
#: that both see the same orders.
BOTH = SQL("GROUPING SETS ((1, 4, 5), (2, 3, 4, 5))")

#: The columns of a `Sale`; a sum of 64-bit amounts may exceed 64 bits.
SALE = (Order.status, Order.currency, fn.count(SQL("*")), fn.sum(Order.amount).converter(int))

# A lateral query per interval: PostgreSQL knows that there are few statuses and currencies, and aggregates
# without a sort. For a computed group key, such as an interval's number, it would assume as many groups as
# rows, and sort them all.
SHOP_SUMS = """
SELECT part.number, sale.*
FROM unnest(%s::timestamp[], %s::timestamp[]) WITH ORDINALITY AS part (first, last, number)
CROSS JOIN LATERAL (
    SELECT status, currency, count(*), sum(amount) FROM orders
    WHERE timezone('UTC', created_at) >= part.first AND timezone('UTC', created_at) < part.last
    GROUP BY status, currency
) AS sale
ORDER BY part.number, sale.status, sale.currency
"""


@dataclass(frozen=True)
class Period:
    """The days from first to last in a time zone, in intervals of a day, a week from Monday, or a month."""

    first: date
    last: date
    interval: str
    zone: ZoneInfo

    def starts(self) -> Iterator[date]:
        """The first day of each interval; the first one begins with the period, even midweek or midmonth."""
        day = self.first
        while day <= self.last:
            yield day
            day = self._following(day)

    def edges(self) -> list[datetime]:
        """The moments at which the intervals begin, and the one at which the last of them ends."""
        return [self._midnight(day) for day in (*self.starts(), self.last + timedelta(days=1))]

    def _following(self, day: date) -> date:
        if self.interval == "day":
            return day + timedelta(days=1)
        if self.interval == "week":
            return day + timedelta(days=7 - day.weekday())
        return (day.replace(day=1) + timedelta(days=32)).replace(day=1)

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time.min, self.zone)


class Sale(NamedTuple):
    """The number of orders with one status, and their total in the smallest unit of one currency."""

    status: str
    currency: str
    orders: int
    amount: int


class SoldProduct(NamedTuple):
    """A product and its sales; a deleted one has no id, and its name is from its orders."""

    id: int | None
    name: str
    sales: list[Sale]


class Sales(NamedTuple):
    """What was sold in a period: by interval, in order, and by product, best-selling first."""

    intervals: list[list[Sale]]
    products: list[SoldProduct]


def sales(period: Period, *, seller: User) -> Sales:
    """What a seller sold in a period."""
    edges = period.edges()
    intervals: list[list[Sale]] = [[] for _ in edges[1:]]
    products: dict[tuple[int | None, str], list[Sale]] = {}
    columns = (
        _interval(edges),
        Order.product,
        # An existing product has one name; the orders of a deleted one may each have another.
        fn.coalesce(Product.name, Order.product_name),
        *SALE,
    )
    query = (
        Order.select(*columns)
        .join(Product, peewee.JOIN.LEFT_OUTER)
        .where((Order.seller == seller.id) & (Order.created_at >= edges[0]) & (Order.created_at < edges[-1]))
        .group_by(BOTH)
        .order_by(SQL("1, 2, 3, 4, 5"))
    )
    rows: Any = query.tuples()
    for interval, product_id, name, *sale in rows:
        if interval is not None:
            intervals[interval - 1].append(Sale(*sale))
        else:
            products.setdefault((product_id, name), []).append(Sale(*sale))
    found = [SoldProduct(*product, sold) for product, sold in products.items()]
    return Sales(intervals, sorted(found, key=_best))


def shop_sales(period: Period) -> list[list[Sale]]:
    """What all sellers sold in each interval of a period, read from an index alone."""
    edges = period.edges()
    intervals: list[list[Sale]] = [[] for _ in edges[1:]]
    for interval, status, currency, orders, amount in shop_sums(edges).tuples():
        intervals[interval - 1].append(Sale(status, currency, orders, int(amount)))
    return intervals


def shop_sums(edges: list[datetime]) -> Any:
    """The query for the sales of each interval, numbered from 1."""
    moments = [edge.astimezone(UTC).replace(tzinfo=None) for edge in edges]
    return Order.raw(SHOP_SUMS, moments[:-1], moments[1:])


def _interval(edges: list[datetime]) -> Any:
    return fn.width_bucket(Order.created_at, peewee.Value(edges[:-1], unpack=False).cast("timestamptz[]"))


def _best(product: SoldProduct) -> tuple[int, int, str, int]:
    """A sort key by which revenue counts first, and the number of orders second."""
    paid = sum(sale.amount for sale in product.sales if sale.status == "paid")
    orders = sum(sale.orders for sale in product.sales)
    return -paid, -orders, product.name, product.id or 0
