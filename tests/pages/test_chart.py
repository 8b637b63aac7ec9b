"""The sales chart: bars stay inside their area and day, and the numbers are the sums of the sales."""

from collections.abc import Iterator
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.i18n import Locale
from nexus.models.stats import Period, Sale
from nexus.models.steps import STEPS
from nexus.pages.chart import (
    DAYS,
    HALF,
    ORDERS_BASE,
    ORDERS_TOP,
    PAID_BASE,
    PAID_TOP,
    STACKED,
    Bar,
    Chart,
    charts,
)
from nexus.pages.numbers import day, money, short, short_money

LAST = date(2026, 3, 2)
PERIOD = Period(LAST - timedelta(days=DAYS - 1), LAST, "day", ZoneInfo("UTC"))

amounts = st.one_of(st.integers(0, 10**6), st.integers(0, 10**25))
sales = st.builds(
    Sale,
    status=st.sampled_from(list(STEPS)),
    currency=st.sampled_from(["USD", "JPY", "KWD"]),
    orders=st.one_of(st.integers(1, 9), st.integers(1, 10**9)),
    amount=amounts,
)
days = st.lists(sales, max_size=6, unique_by=lambda sale: (sale.status, sale.currency))
shops = st.dictionaries(st.integers(0, DAYS - 1), days, max_size=8)


def drawn(by_day: dict[int, list[Sale]], language: Locale = "en") -> list[Chart]:
    """The charts of the sales of some of the days."""
    sold = [by_day.get(number, []) for number in range(DAYS)]
    return charts(PERIOD, sold, currency="USD", language=language)


def bars(chart: Chart) -> Iterator[Bar]:
    """All bars of a chart."""
    for one in chart.days:
        yield from one.bars


@given(shops)
def test_every_bar_stays_inside_its_area_and_day(by_day: dict[int, list[Sale]]) -> None:
    for chart in drawn(by_day):
        for number, one in enumerate(chart.days):
            for bar in one.bars:
                assert number * 100 / DAYS <= bar.x <= bar.x + bar.width <= (number + 1) * 100 / DAYS
                assert bar.height >= 1
                # Every bar is at least a pixel high, which can push up the bars stacked on it.
                within_paid = PAID_TOP <= bar.y <= bar.y + bar.height <= PAID_BASE + 0.01
                slack = len(STACKED) + 1
                within_orders = ORDERS_TOP - slack <= bar.y <= bar.y + bar.height <= ORDERS_BASE + 0.01
                assert within_paid or within_orders


@given(shops)
def test_each_currency_has_its_own_chart_and_the_shops_currency_is_first(
    by_day: dict[int, list[Sale]],
) -> None:
    found = {sale.currency for sold in by_day.values() for sale in sold} or {"USD"}
    made = drawn(by_day)

    assert sorted(chart.currency for chart in made) == sorted(found)
    assert "USD" not in found or made[0].currency == "USD"
    for chart in made:
        paid = [
            [sale.amount for sale in sold if (sale.status, sale.currency) == ("paid", chart.currency)]
            for sold in (by_day.get(number, []) for number in range(DAYS))
        ]
        assert chart.paid == money(sum(map(sum, paid)), chart.currency, "en")
        assert chart.before == money(sum(map(sum, paid[:HALF])), chart.currency, "en")


def test_the_second_half_is_compared_with_the_first() -> None:
    (chart,) = drawn(
        {
            0: [Sale("paid", "USD", 1, 1500)],
            HALF - 1: [Sale("paid", "USD", 1, 500)],
            HALF: [Sale("paid", "USD", 2, 1000), Sale("cancelled", "USD", 1, 7)],
            DAYS - 1: [Sale("created", "USD", 4, 5000)],
        }
    )

    assert (chart.paid, chart.before, chart.change) == ("30.00", "20.00", -50)
    assert chart.orders == {"paid": "4", "created": "4", "cancelled": "1"}
    assert (chart.days[0].name, chart.days[-1].name) == ("3\u00a0Feb", "2\u00a0Mar")
    assert chart.best is chart.days[0]
    assert [line.says for line in chart.lines] == ["0", "5", "10", "15", "0", "2", "4"]
    high, low, cancelled = chart.days[HALF].bars
    assert (high.status, low.status, cancelled.status) == ("paid", "paid", "cancelled")
    assert cancelled.y + cancelled.height == low.y
    assert [bar.status for bar in chart.days[-1].bars] == ["created"]
    assert chart.days[-1].bars[0].y == ORDERS_TOP


def test_a_shop_without_sales_has_one_empty_chart() -> None:
    (chart,) = drawn({})

    assert (chart.currency, chart.paid, chart.change, chart.best) == ("USD", "0.00", None, None)
    assert chart.is_empty
    assert not list(bars(chart))


@pytest.mark.parametrize(
    ("amount", "currency", "english", "russian"),
    [
        (0, "USD", "0.00", "0,00"),
        (123456789, "RUB", "1,234,567.89", "1\u00a0234\u00a0567,89"),
        (1234, "JPY", "1,234", "1\u00a0234"),
        (5, "KWD", "0.005", "0,005"),
        (12345, "CLF", "1.2345", "1,2345"),
    ],
)
def test_money_is_formatted_for_its_currency_and_the_language(
    amount: int, currency: str, english: str, russian: str
) -> None:
    assert money(amount, currency, "en") == english
    assert money(amount, currency, "ru") == russian


def test_short_numbers_have_suffixes() -> None:
    assert [short(number, 1, "en") for number in (0, 5, 999, 1000, 1500, 2 * 10**6)] == [
        *("0", "5", "999", "1k", "1.5k", "2M"),
    ]
    assert short_money(2, "USD", "en") == "0.02"
    assert short_money(50_000, "USD", "ru") == "500"
    assert short_money(3 * 10**8, "USD", "ru") == "3\u00a0млн"
    assert short(4 * 10**18, 1, "en") == "4,000,000T"
    assert day(date(2026, 5, 9), "ru") == "9\u00a0мая"
