"""A sales chart, drawn by the server: four weeks, of which the last two are compared with the two before."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from nexus.i18n import Locale
from nexus.models.stats import Period, Sale
from nexus.models.steps import STEPS
from nexus.pages.numbers import day, money, short, short_money, whole

#: Both are whole weeks, so that both halves have the same days of the week. There are no more days, since a
#: page reads every order of them.
DAYS, HALF = 28, 14
#: The grid lines of each of the two parts, besides the base line.
PAID_LINES, ORDERS_LINES = 3, 2
#: In pixels from the top: each part's caption, highest value and base line.
PAID_CAPTION, PAID_TOP, PAID_BASE = 12, 24, 144
ORDERS_CAPTION, ORDERS_TOP, ORDERS_BASE = 174, 186, 258
LABELS, HEIGHT = 276, 284
#: The share of a day's width that its bar takes.
BAR = 0.76
#: The number of days from one date label to the next, counted back from the last day.
LABELLED = 7

#: The statuses in the order in which they are stacked, from the base line up.
STACKED = ("paid", "processing", "created", "refunded", "cancelled")
if set(STACKED) != set(STEPS):
    raise ValueError("STACKED does not have exactly the statuses of STEPS")


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A rectangle: `x` and `width` in percent, `y` and `height` in pixels."""

    status: str
    x: float
    width: float
    y: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Line:
    """A grid line and its label."""

    y: float
    says: str


@dataclass(frozen=True, kw_only=True)
class DayOfSales:
    """One day: its bars, and its texts for the table."""

    name: str
    #: Whether its name is shown below its bars, whose middle is at `middle` percent from the left.
    labelled: bool
    middle: float
    bars: list[Bar]
    paid: str
    #: The number of orders by status.
    orders: dict[str, str]
    total: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """The sales in one currency; amounts are formatted texts."""

    currency: str
    paid: str
    #: What was paid in the first half of the days.
    before: str
    #: The change from the first half to the second in percent; None: nothing was paid in the first.
    change: int | None
    #: The number of orders by status, without statuses that no order has.
    orders: dict[str, str]
    total: str
    days: list[DayOfSales]
    #: The day on which the most was paid; None: nothing was paid.
    best: DayOfSales | None
    lines: list[Line]
    #: Whether there is anything to draw.
    is_empty: bool
    paid_caption: int = PAID_CAPTION
    orders_caption: int = ORDERS_CAPTION
    labels: int = LABELS
    height: int = HEIGHT


def period() -> Period:
    """The days of a chart: the last DAYS until today, in UTC."""
    today = datetime.now(UTC).date()
    return Period(today - timedelta(days=DAYS - 1), today, "day", ZoneInfo("UTC"))


def charts(days: Period, sold: list[list[Sale]], *, currency: str, language: Locale) -> list[Chart]:
    """One chart for each currency in which something was sold, the shop's own currency first.

    `sold` has the sales of each day of `days`.
    """
    found = {sale.currency for sales in sold for sale in sales} or {currency}
    in_order = sorted(found, key=lambda one: (one != currency, one))
    starts = list(days.starts())
    return [_chart(starts, [_of(one, sales) for sales in sold], one, language) for one in in_order]


def _of(currency: str, sales: list[Sale]) -> dict[str, Sale]:
    """A day's sales in a currency, by status."""
    return {sale.status: sale for sale in sales if sale.currency == currency}


def _chart(starts: list[date], sold: list[dict[str, Sale]], currency: str, language: Locale) -> Chart:
    paid = [sales["paid"].amount if "paid" in sales else 0 for sales in sold]
    before, now = sum(paid[:HALF]), sum(paid[HALF:])
    orders: Counter[str] = Counter()
    for sales in sold:
        orders.update({sale.status: sale.orders for sale in sales.values()})
    most_orders = max(sum(sale.orders for sale in sales.values()) for sales in sold)
    paid_grid, orders_grid = _grid(max(paid), PAID_LINES), _grid(most_orders, ORDERS_LINES)
    days = [
        _day(number, start, sales, (paid_grid[-1], orders_grid[-1]), currency, language)
        for number, (start, sales) in enumerate(zip(starts, sold, strict=True))
    ]
    lines = [
        *_lines(paid_grid, PAID_TOP, PAID_BASE, lambda value: short_money(value, currency, language)),
        *_lines(orders_grid, ORDERS_TOP, ORDERS_BASE, lambda value: short(value, 1, language)),
    ]
    return Chart(
        currency=currency,
        paid=money(before + now, currency, language),
        before=money(before, currency, language),
        change=round((now - before) * 100 / before) if before else None,
        orders={status: whole(orders[status], language) for status in STACKED if orders[status]},
        total=whole(orders.total(), language),
        days=days,
        best=days[paid.index(max(paid))] if any(paid) else None,
        lines=lines,
        is_empty=not orders,
    )


def _day(
    number: int,
    start: date,
    sales: dict[str, Sale],
    highest: tuple[int, int],
    currency: str,
    language: Locale,
) -> DayOfSales:
    """One day's bars: what was paid, and below that the orders, stacked by status."""
    paid = sales["paid"].amount if "paid" in sales else 0
    wide = 100 / DAYS
    x, width = round(number * wide + wide * (1 - BAR) / 2, 3), round(wide * BAR, 3)
    bars = [Bar(status="paid", x=x, width=width, **_above(PAID_BASE, PAID_BASE - PAID_TOP, paid, highest[0]))]
    base: float = ORDERS_BASE
    for status in STACKED:
        if status in sales:
            place = _above(base, ORDERS_BASE - ORDERS_TOP, sales[status].orders, highest[1])
            bars.append(Bar(status=status, x=x, width=width, **place))
            base = place["y"]
    return DayOfSales(
        name=day(start, language),
        labelled=(DAYS - 1 - number) % LABELLED == 0,
        middle=round((number + 0.5) * wide, 3),
        bars=[bar for bar in bars if bar.height],
        paid=money(paid, currency, language),
        orders={status: whole(sale.orders, language) for status, sale in sales.items()},
        total=whole(sum(sale.orders for sale in sales.values()), language),
    )


def _above(base: float, room: int, value: int, highest: int) -> dict[str, float]:
    """The place of a bar above a base; a small value still gets a visible bar."""
    height = max(round(value * room / highest, 2), 1.0) if value else 0.0
    return {"y": round(base - height, 2), "height": height}


def _grid(most: int, lines: int) -> list[int]:
    """Round values from 0 up to at least `most`: 0, and at most `lines` more."""
    steps = (digit * 10**zeros for zeros in count() for digit in (1, 2, 3, 4, 5))
    step = next(step for step in steps if step * lines >= most)
    return [step * number for number in range(max(-(-most // step), 1) + 1)]


def _lines(grid: Sequence[int], top: int, base: int, write: Callable[[int], str]) -> list[Line]:
    high = (base - top) / grid[-1]
    return [Line(y=round(base - value * high, 2), says=write(value)) for value in grid]
