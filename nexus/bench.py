"""A benchmark of the database: the most common operations, through the models and as bare SQL."""

import math
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter_ns
from typing import Any
from uuid import UUID

from nexus.config import Settings
from nexus.db import session
from nexus.db.connection import connect
from nexus.db.pool import Pool
from nexus.models.catalog import LIVE, Product
from nexus.models.orders import Order
from nexus.models.steps import Actor
from nexus.models.users import User
from nexus.paging import page

#: The limit that the brief sets for a simple query.
LIMIT_MS = 50
PERCENTILES = (50, 95, 99)
WARM_UP = 20
PAGE = 20
#: The number of products that a client gets by default.
ALL = 200
#: The buyer of the benchmark's orders. Nobody can register at `.invalid`, so no real order has it.
BUYER = "flask-db-bench@nexus.invalid"
BENCH = Actor("operator")

CREATE_AND_DELETE = "create and delete an order"
LAST_PAGE = "products, the last page of 20"

Work = Callable[[], object]


class NothingToMeasure(Exception):
    """The database has no live product; the text says what to do."""


@dataclass(frozen=True)
class Case:
    """One operation to measure: through the models, and as the same SQL through psycopg2 alone."""

    name: str
    models: Work
    bare: Work


@dataclass(frozen=True)
class Measurement:
    """Milliseconds by percentile for both variants, and the median of the ratios of each pair."""

    name: str
    models_ms: dict[str, float]
    bare_ms: dict[str, float]
    ratio: float

    @property
    def fast_enough(self) -> bool:
        """Whether the 95th percentile is within the brief's limit."""
        return self.models_ms["p95"] < LIMIT_MS


@dataclass
class BenchReport:
    """The measurements, whose rows they used, and what was left out and why."""

    runs: int
    user_id: int
    products: int
    measurements: list[Measurement] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def bench(settings: Settings, *, runs: int, write: bool, tick: Callable[[int], None]) -> BenchReport:
    """Measure everything `runs` times after a warm-up, and leave no row behind.

    Without `write` no order is placed. `tick` is called after each round. Raises NothingToMeasure if there
    is no live product, and DatabaseUnavailable on an outage.
    """
    cleanup = _removing_orders(settings) if write else nullcontext()
    with session() as database, cleanup, closing(_bare(settings)) as connection:
        seller, products = _busiest(database)
        report = BenchReport(runs, seller.id, products)
        cursor = connection.cursor()
        cases = list(_reads(database, cursor, seller, products))
        if products <= PAGE:
            report.left_out[LAST_PAGE] = f"there are only {products} products: run flask seed --scale 10"
        if write:
            cases.insert(2, _order(database, cursor, seller))
        else:
            report.left_out[CREATE_AND_DELETE] = "this is production: --force places and deletes real orders"
        for _ in range(WARM_UP):
            _round(cases, swapped=False)
        rounds = []
        for number in range(runs):
            rounds.append(_round(cases, swapped=number % 2 == 1))
            tick(1)
    pairs_of_cases = zip(cases, zip(*rounds, strict=True), strict=True)
    report.measurements = [_measurement(case.name, pairs) for case, pairs in pairs_of_cases]
    return report


def percentile(sorted_values: list[float], percent: int) -> float:
    """The smallest value such that at least `percent` % of all values are no larger (nearest rank)."""
    return sorted_values[math.ceil(len(sorted_values) * percent / 100) - 1]


@contextmanager
def _removing_orders(settings: Settings) -> Iterator[None]:
    """Finally delete all orders of the benchmark that are left, those of an earlier killed run included."""
    try:
        yield
    finally:
        # On a separate connection, since the others may have failed. By address, since the id of an order
        # that Ctrl-C interrupted is unknown.
        with closing(_bare(settings)) as connection:
            connection.cursor().execute("DELETE FROM orders WHERE lower(email) = %s", (BUYER,))


def _bare(settings: Settings) -> Any:
    return connect(settings.pooled, wait=settings.pool_wait)


def _busiest(database: Pool) -> tuple[User, int]:
    """The seller with the most live products, and their number."""
    sql = (
        "SELECT user_id, count(*) FROM products WHERE status = %s"
        " GROUP BY user_id ORDER BY count(*) DESC, user_id LIMIT 1"
    )
    row = database.execute_sql(sql, (LIVE,)).fetchone()
    if row is None:
        raise NothingToMeasure("there is no product to measure with: run flask seed first")
    user_id, products = row
    return User.by_id(user_id).get(), products


def _reads(database: Pool, cursor: Any, seller: User, products: int) -> Iterator[Case]:
    def listed(limit: int, cursor: str | None = None, *, skip: int = 0) -> Any:
        """A page of the seller's products as any visitor sees them."""
        return page(
            Product.of_user(seller.id, viewer=None).offset(skip or None),
            kind=int,
            limit=limit,
            cursor=cursor,
            bound_to="bench",
        )

    def ordered() -> Any:
        return page(
            Order.of_seller(seller),
            kind=UUID,
            limit=PAGE,
            cursor=None,
            bound_to="bench",
        )

    works: dict[str, Work] = {
        "user by e-mail": lambda: User.by_email(seller.email).first(),
        "products by user": lambda: listed(ALL),
        "products, the first page of 20": lambda: listed(PAGE),
    }
    if products > PAGE:
        # Where the last page but one ends: the page after it is the deepest of all.
        deep = listed(PAGE, skip=max(0, products - 2 * PAGE)).next_cursor
        works[LAST_PAGE] = lambda: listed(PAGE, deep)
    works["orders of a seller, a page of 20"] = ordered
    for name, work in works.items():
        yield Case(name, work, _replayed(_recorded(database, work), cursor))


def _order(database: Pool, cursor: Any, seller: User) -> Case:
    product = Product.of_user(seller.id, viewer=None).get()

    def place_and_delete() -> None:
        order = Order.place(product_id=product.id, email=BUYER, name=None, amount=None, buyer=None, by=BENCH)
        Order.delete().where(Order.id == order.id).execute()

    (insert, values), (delete, _) = _recorded(database, place_and_delete)

    def bare() -> None:
        cursor.execute(insert, values)
        order_id = cursor.fetchone()[0]
        cursor.execute(delete, (order_id,))

    return Case(CREATE_AND_DELETE, place_and_delete, bare)


def _recorded(database: Pool, work: Work) -> list[tuple[str, Any]]:
    """The statements that `work` sends, with their values, so that the bare variant runs the same SQL."""
    recorded: list[tuple[str, Any]] = []

    def listen(event: Any) -> None:
        recorded.append((event.sql, event.params))

    database.query_hooks.append(listen)
    try:
        work()
    finally:
        database.query_hooks.remove(listen)
    return recorded


def _replayed(statements: list[tuple[str, Any]], cursor: Any) -> Work:
    def replay() -> None:
        for sql, values in statements:
            cursor.execute(sql, values)
            cursor.fetchall()

    return replay


def _round(cases: list[Case], *, swapped: bool) -> list[tuple[float, float]]:
    """Time both variants of each case in a row; the second finds warmer caches, so the order alternates."""
    pairs = []
    for case in cases:
        if swapped:
            bare = _timed(case.bare)
            pairs.append((_timed(case.models), bare))
        else:
            pairs.append((_timed(case.models), _timed(case.bare)))
    return pairs


def _timed(work: Work) -> float:
    began = perf_counter_ns()
    work()
    return (perf_counter_ns() - began) / 1e6


def _measurement(name: str, pairs: tuple[tuple[float, float], ...]) -> Measurement:
    models, bare = zip(*pairs, strict=True)
    return Measurement(
        name, _percentiles(models), _percentiles(bare), median(ours / theirs for ours, theirs in pairs)
    )


def _percentiles(milliseconds: tuple[float, ...]) -> dict[str, float]:
    ordered = sorted(milliseconds)
    return {f"p{percent}": percentile(ordered, percent) for percent in PERCENTILES}
