"""Search and deep pages with a million products and orders: `python -m tests.benchmarks.search_and_pages`."""

import argparse
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from statistics import median
from time import perf_counter_ns
from typing import Any
from uuid import UUID

from nexus import create_app
from nexus.config import Settings, load_settings
from nexus.db import database
from nexus.db.connection import connect
from nexus.models.catalog import SORTS, Product
from nexus.models.orders import Order
from nexus.models.search import Search, SearchText
from nexus.models.users import User
from nexus.paging import page

MAX_MS = 10
MAX_RATIO = 1.5
PAGE = 20

#: Product n is the n-th newest. Every fifth has the common word, one in a hundred thousand has the rare one,
#: and all texts are equally long. The last seller has half of the products, the other 999 share the rest.
FILL = """
INSERT INTO users (id, email, password)
SELECT n, 'seller' || n || '@example.com', '' FROM generate_series(1, 1000) AS n;
INSERT INTO products (user_id, name, description, price, currency, created_at)
SELECT
    CASE n %% 2 WHEN 0 THEN 1 + n / 2 %% 999 ELSE 1000 END,
    CASE n %% 5 WHEN 0 THEN 'Курсы фотографии ' ELSE 'Набор иконок ' END || n,
    CASE n %% 100000 WHEN 50000 THEN 'Утконосы. ' ELSE 'Иконки. ' END
        || 'Двадцать уроков о том, как это делается, with examples and exercises for beginners, часть '
        || n %% 977 || ', тема ' || n %% 9973,
    n %% 10000,
    'USD',
    '2026-01-01'::timestamptz - n * interval '1 second'
FROM generate_series(1, %(products)s) AS n;
INSERT INTO orders (seller_id, product_name, amount, currency, email, status, created_at)
SELECT
    CASE n %% 2 WHEN 0 THEN 1 + n / 2 %% 999 ELSE 1000 END,
    'Набор иконок ' || n,
    n %% 10000,
    'USD',
    'buyer' || n %% 99991 || '@example.com',
    'paid',
    '2026-01-01'::timestamptz - n * interval '1 second'
FROM generate_series(1, %(products)s) AS n;
"""


def fill(settings: Settings, products: int) -> None:
    """Create the tables and rows, vacuumed and analysed; the search index is built last."""
    subprocess.run(
        [sys.executable, "-m", "flask", "migrate"],
        check=True,
        env={**os.environ, "DATABASE_URL": str(settings.database_url)},
        stdout=subprocess.DEVNULL,
    )
    with closing(connect(settings.direct, wait=5)) as connection, connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET maintenance_work_mem = '512MB'")
        cursor.execute("SELECT pg_get_indexdef('products_by_words'::regclass)")
        (words,) = cursor.fetchone()
        cursor.execute("DROP INDEX products_by_words")
        # The events of these orders are not needed.
        cursor.execute("SET nexus.import = 'on'")
        cursor.execute(FILL, {"products": products})
        cursor.execute(words)
        cursor.execute("VACUUM ANALYZE products")
        cursor.execute("VACUUM ANALYZE orders")


def captured(work: Callable[[], object]) -> tuple[str, Any]:
    """Return the single statement that a function sends, with its values."""
    statements: list[tuple[str, Any]] = []
    database.query_hooks.append(lambda event: statements.append((event.sql, event.params)))
    try:
        work()
    finally:
        database.query_hooks.pop()
    (statement,) = statements
    return statement


def explained(statement: tuple[str, Any], runs: int) -> tuple[float, float, str]:
    """Return the median planning and execution times at the server in milliseconds, and the plan."""
    sql, values = statement
    timed = []
    for _ in range(runs):
        cursor = database.execute_sql(f"EXPLAIN (ANALYZE, COSTS off, TIMING off) {sql}", values)
        plan = [line for (line,) in cursor.fetchall()]
        timed.append(
            [float(re.sub(r".*: ([\d.]+) ms", r"\1", line)) for line in plan if line.endswith(" ms")]
        )
    planning, execution = (median(row[at] for row in timed) for at in (0, -1))
    return planning, execution, "\n".join(plan)


def round_trip(statement: tuple[str, Any]) -> float:
    """Return the milliseconds from sending a statement to receiving its rows."""
    began = perf_counter_ns()
    database.execute_sql(*statement).fetchall()
    return (perf_counter_ns() - began) / 1e6


def check_searches(runs: int) -> bool:
    """Print the plan and the times of each search; return whether all are fast enough."""
    fast = True
    for kind, text in (("rare", "утконос"), ("common", "курсы"), ("absent", "жираф")):
        statement = captured(partial(Search(SearchText.parse(text), None, {}).best_first, None, PAGE + 1))
        planning, execution, plan = explained(statement, runs)
        total = median(round_trip(statement) for _ in range(runs))
        fast = fast and planning + execution <= MAX_MS
        (count,) = database.execute_sql(
            "SELECT count(*) FROM products WHERE search @@ plainto_tsquery('russian', %s)", (text,)
        ).fetchone()
        sys.stdout.write(f"{plan}\n\n")
        sys.stdout.write(f"{kind}, {count} matches: execution {execution:.2f} ms, planning {planning:.2f} ms")
        sys.stdout.write(f" (together at most {MAX_MS}); round trip {total:.2f} ms\n\n")
    return fast


def lists(depth: int) -> Iterator[tuple[str, Callable[[], Any], Callable[[], Any]]]:
    """Generate the lists of the last seller: name, and functions that read the first and a deep page."""

    def orders(cursor: str | None, skip: int = 0) -> Any:
        return page(
            Order.of_seller(User(id=1000)).offset(skip or None),
            kind=UUID,
            limit=PAGE,
            cursor=cursor,
            bound_to="benchmark",
        )

    for name, sort in SORTS.items():
        last = Product.sorted_by(sort, user_id=1000, viewer_id=None).offset(depth + PAGE - 1).first()
        read = partial(Product.listed, name, limit=PAGE + 1, user_id=1000, viewer_id=None)
        yield f"products, sort={name}", partial(read, place=None), partial(read, place=sort.place(last))
    yield "orders", partial(orders, None), partial(orders, orders(None, depth).next_cursor)


def check_pages(products: int, runs: int) -> bool:
    """Print the times of the first and a deep page in every order; return whether they are close enough."""
    fast = True
    depth = products // 2 - 2 * PAGE
    for name, first, deep in lists(depth):
        statements = [captured(first), captured(deep)]
        # In turns, since the speed of the machine changes.
        rounds = [[round_trip(statement) for statement in statements] for _ in range(runs)]
        times = median(after / before for before, after in rounds)
        fast = fast and times <= MAX_RATIO
        before, after = (median(one[at] for one in rounds) for at in (0, 1))
        sys.stdout.write(f"{name}: first page {before:.2f} ms, page at {depth + PAGE} {after:.2f} ms:")
        sys.stdout.write(f" {times:.2f} times (at most {MAX_RATIO})\n")
    return fast


def main() -> int:
    """Measure in a new database on the server of DATABASE_URL; return 1 if anything is too slow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=51)
    given = parser.parse_args()
    os.environ.setdefault("APP_ENV", "development")
    settings = load_settings()
    if settings.database_url is None:
        sys.exit("DATABASE_URL is needed: a server on which databases may be created")
    name = f"nexus_bench_{secrets.token_hex(4)}"
    url = re.sub("(://[^/]*/)[^?]*", rf"\g<1>{name}", str(settings.database_url))
    with closing(connect(settings.direct, wait=5)) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'")
        try:
            there = settings.model_copy(update={"database_url": url})
            fill(there, given.products)
            create_app(there)
            with database.connection_context():
                fast = [check_searches(given.runs), check_pages(given.products, given.runs)]
            database.close_idle()
        finally:
            cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    return int(not all(fast))


if __name__ == "__main__":
    sys.exit(main())
