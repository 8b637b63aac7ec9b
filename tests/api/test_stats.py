"""A seller's sales: each order counts in the interval of its day, in any time zone."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nexus.db import database
from nexus.models.steps import STEPS
from tests.factories import Person

SOLD = """
INSERT INTO orders (seller_id, product_id, product_name, email, status, amount, currency, created_at)
VALUES (%s, %s, %s, 'b@example.com', %s, %s, %s, %s)
"""


def sell(
    seller: Person,
    at: str | datetime,
    *,
    product: int | None = None,
    name: str = "Gone",
    status: str = "paid",
    amount: int = 100,
    currency: str = "USD",
) -> None:
    """Insert an order that was placed at this time."""
    with database.connection_context(), database.atomic():
        # Without events, like an imported order.
        database.execute_sql("SET LOCAL nexus.import = 'on'")
        database.execute_sql(SOLD, (seller.id, product, name, status, amount, currency, at))


def stats(seller: Person, **asked: Any) -> dict[str, Any]:
    answer = seller.get("/api/stats", query_string=asked)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    found: dict[str, Any] = answer.get_json()
    return found


def spans(found: dict[str, Any]) -> list[tuple[str, str, int]]:
    """The days of each interval, and the orders in it."""
    return [
        (one["from"], one["to"], sum(sale["orders"] for sale in one["sales"])) for one in found["intervals"]
    ]


def test_sales_are_summed_by_day_product_status_and_currency(seller: Person, rival: Person) -> None:
    course = seller.product(name="Course")["id"]
    sell(seller, "2026-01-30T10:00Z", product=course, name="An old name", amount=100)
    sell(seller, "2026-01-30T11:00Z", product=course, name="Course", amount=250)
    sell(seller, "2026-01-31T10:00Z", product=course, status="refunded", amount=70)
    sell(seller, "2026-01-31T10:00Z", name="Gone", amount=5000)
    sell(seller, "2026-01-31T10:00Z", name="Gone", amount=40, currency="EUR")
    sell(seller, "2026-02-01T00:00Z", name="Later")
    sell(rival, "2026-01-31T10:00Z", name="Another's")

    assert stats(seller, **{"from": "2026-01-30", "to": "2026-01-31"}) == {
        "from": "2026-01-30",
        "to": "2026-01-31",
        "interval": "day",
        "timeZone": "UTC",
        "totals": [
            {"status": "paid", "currency": "EUR", "orders": 1, "amount": 40},
            {"status": "paid", "currency": "USD", "orders": 3, "amount": 5350},
            {"status": "refunded", "currency": "USD", "orders": 1, "amount": 70},
        ],
        "intervals": [
            {
                "from": "2026-01-30",
                "to": "2026-01-30",
                "sales": [{"status": "paid", "currency": "USD", "orders": 2, "amount": 350}],
            },
            {
                "from": "2026-01-31",
                "to": "2026-01-31",
                "sales": [
                    {"status": "paid", "currency": "EUR", "orders": 1, "amount": 40},
                    {"status": "paid", "currency": "USD", "orders": 1, "amount": 5000},
                    {"status": "refunded", "currency": "USD", "orders": 1, "amount": 70},
                ],
            },
        ],
        "products": [
            {
                "productId": None,
                "name": "Gone",
                "sales": [
                    {"status": "paid", "currency": "EUR", "orders": 1, "amount": 40},
                    {"status": "paid", "currency": "USD", "orders": 1, "amount": 5000},
                ],
            },
            {
                "productId": course,
                "name": "Course",
                "sales": [
                    {"status": "paid", "currency": "USD", "orders": 2, "amount": 350},
                    {"status": "refunded", "currency": "USD", "orders": 1, "amount": 70},
                ],
            },
        ],
        "otherProducts": [],
    }


def test_days_are_those_of_the_time_zone(seller: Person) -> None:
    # Night in Moscow, the evening before in UTC.
    sell(seller, "2026-01-30T22:30Z")
    asked = {"from": "2026-01-30", "to": "2026-01-31"}

    assert [count for *_, count in spans(stats(seller, **asked))] == [1, 0]
    assert [count for *_, count in spans(stats(seller, **asked, tz="Europe/Moscow"))] == [0, 1]


def test_a_day_with_a_clock_change_is_complete(seller: Person) -> None:
    # This day has 25 hours: the first two orders are at its ends, the third is on the next day.
    sell(seller, "2026-10-24T22:00Z")
    sell(seller, "2026-10-25T22:59:59Z")
    sell(seller, "2026-10-25T23:00Z")

    found = stats(seller, **{"from": "2026-10-24", "to": "2026-10-26", "tz": "Europe/Berlin"})

    assert [count for *_, count in spans(found)] == [0, 2, 1]


def test_weeks_begin_on_monday_and_months_on_the_first(seller: Person) -> None:
    for day in ("2026-01-28", "2026-02-01", "2026-02-02", "2026-02-28", "2026-03-01"):
        sell(seller, f"{day}T12:00Z")
    asked = {"from": "2026-01-28", "to": "2026-03-01"}

    assert spans(stats(seller, **asked, interval="week")) == [
        ("2026-01-28", "2026-02-01", 2),
        ("2026-02-02", "2026-02-08", 1),
        ("2026-02-09", "2026-02-15", 0),
        ("2026-02-16", "2026-02-22", 0),
        ("2026-02-23", "2026-03-01", 2),
    ]
    assert spans(stats(seller, **asked, interval="month")) == [
        ("2026-01-28", "2026-01-31", 1),
        ("2026-02-01", "2026-02-28", 3),
        ("2026-03-01", "2026-03-01", 1),
    ]


def test_the_default_period_is_the_last_thirty_days(seller: Person) -> None:
    now = datetime.now(UTC)
    sell(seller, now)
    sell(seller, now - timedelta(days=31))

    found = stats(seller)

    assert len(found["intervals"]) == 30
    assert [sale["orders"] for sale in found["totals"]] == [1]
    assert found["intervals"][-1]["sales"] == found["totals"]


def test_the_period_does_not_begin_before_the_year_1(seller: Person) -> None:
    found = stats(seller, to="0001-01-02")

    assert [(one["from"], one["to"]) for one in found["intervals"]] == [
        ("0001-01-01", "0001-01-01"),
        ("0001-01-02", "0001-01-02"),
    ]


def test_only_the_hundred_best_selling_products_are_named(seller: Person) -> None:
    for number in range(102):
        sell(seller, "2026-01-31T10:00Z", name=f"Course {number}", amount=number)

    found = stats(seller, **{"from": "2026-01-31", "to": "2026-01-31"})

    assert [one["name"] for one in found["products"]] == [f"Course {number}" for number in range(101, 1, -1)]
    assert found["otherProducts"] == [{"status": "paid", "currency": "USD", "orders": 2, "amount": 1}]


def test_sums_may_exceed_64_bits(seller: Person) -> None:
    for _ in range(3):
        sell(seller, "2026-01-31T10:00Z", amount=2**63 - 1)

    found = stats(seller, **{"from": "2026-01-31", "to": "2026-01-31"})

    assert found["totals"] == [{"status": "paid", "currency": "USD", "orders": 3, "amount": 3 * (2**63 - 1)}]


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("from=yesterday", "from", "not_a_day"),
        ("from=2026-02-30", "from", "not_a_day"),
        ("to=9999-12-31", "to", "not_a_day"),
        ("to=2026-01-31T00:00:00Z", "to", "not_a_day"),
        ("from=2026-02-01&to=2026-01-31", "from", "after_to"),
        ("from=9000-01-01", "from", "after_to"),
        ("from=2025-01-01&to=2026-02-05", "from", "too_many_intervals"),
        ("from=0001-01-01&to=9998-12-31&interval=month", "from", "too_many_intervals"),
        ("interval=hour", "interval", "not_a_choice"),
        ("tz=Moscow", "tz", "not_a_time_zone"),
        ("tz=Europe", "tz", "not_a_time_zone"),
        ("tz=..%2Fetc%2Fpasswd", "tz", "not_a_time_zone"),
        ("tz=%2Fetc%2Fpasswd", "tz", "not_a_time_zone"),
        ("tz=", "tz", "not_a_time_zone"),
        ("tz=localtime", "tz", "not_a_time_zone"),
        ("tz=right%2FUTC", "tz", "not_a_time_zone"),
    ],
)
def test_an_invalid_period_is_refused_by_field(seller: Person, query: str, field: str, code: str) -> None:
    answer = seller.get(f"/api/stats?{query}")

    assert answer.status_code == 400
    assert [(one["field"], one["code"]) for one in answer.get_json()["errors"]] == [(field, code)]


ZONES = ["UTC", "Europe/Moscow", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe"]
DAYS = st.dates(date(2011, 12, 1), date(2012, 2, 1))
ORDERS = st.lists(
    st.tuples(
        st.datetimes(datetime(2011, 11, 25), datetime(2012, 2, 5)),  # noqa: DTZ001 - In UTC.
        st.sampled_from(sorted(STEPS)),
        st.integers(0, 10_000),
        st.sampled_from(["Course", "Книга"]),
    ),
    max_size=12,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    orders=ORDERS,
    days=st.tuples(DAYS, DAYS),
    interval=st.sampled_from(["day", "week", "month"]),
    zone=st.sampled_from(ZONES),
)
def test_every_order_of_the_period_counts_once(
    seller: Person, orders: list[Any], days: tuple[date, date], interval: str, zone: str
) -> None:
    """Around the 30th of December 2011, a day that Samoa skipped."""
    first, last = sorted(days)
    with database.connection_context():
        database.execute_sql("DELETE FROM orders")
    expected: Counter[Any] = Counter()
    for moment, status, amount, name in orders:
        at = moment.replace(tzinfo=UTC)
        sell(seller, at, name=name, status=status, amount=amount)
        if first <= (day := at.astimezone(ZoneInfo(zone)).date()) <= last:
            expected += Counter({(day, name, status, "orders"): 1, (day, name, status, "amount"): amount})

    found = stats(seller, **{"from": str(first), "to": str(last), "interval": interval, "tz": zone})

    assert found["intervals"][0]["from"] == str(first)
    assert found["intervals"][-1]["to"] == str(last)
    by_status: Counter[Any] = Counter()
    for one in found["intervals"]:
        here: Counter[Any] = Counter()
        for (day, _, status, what), number in expected.items():
            if one["from"] <= str(day) <= one["to"]:
                here[status, what] += number
        assert counted(one["sales"]) == +here
        by_status += here
    assert counted(found["totals"]) == +by_status
    for one in found["products"]:
        of_it: Counter[Any] = Counter()
        for (_, name, status, what), number in expected.items():
            if name == one["name"]:
                of_it[status, what] += number
        assert counted(one["sales"]) == +of_it


def counted(sales: list[dict[str, Any]]) -> Counter[Any]:
    """Sales as sums by status, without zeros."""
    return +Counter({(one["status"], what): one[what] for one in sales for what in ("orders", "amount")})
