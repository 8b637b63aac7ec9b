"""Growing a shop for load tests: inserts the sellers of `sample.py` with COPY."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from nexus.config import Settings
from nexus.db import session
from nexus.db.pool import Pool
from nexus.sample import Seller, email_of, seller
from nexus.security import passwords
from nexus.seed import seed_password

#: Sellers that are in memory at a time, with all their rows.
BATCH = 100
#: Any number that no other program on the same database uses for its advisory locks.
LOCK = 0x4E6578757363


@dataclass
class ScaleReport:
    """The created rows by table, and the number of sellers that already existed."""

    created: dict[str, int] = field(default_factory=lambda: {"users": 0, "products": 0, "orders": 0})
    present: int = 0


def grow(settings: Settings, *, sellers: int, tick: Callable[[int], None]) -> ScaleReport:
    """Create the missing ones among the sellers 1 to `sellers`, all or none.

    They all have the seeded user's password. `tick` gets the number of sellers of each batch. Raises
    DatabaseUnavailable on an outage.
    """
    hashed = passwords.hash_password(seed_password(settings))
    report = ScaleReport()
    with session() as database, database.atomic():
        # Two concurrent runs would both find a seller missing. Nobody else needs to wait.
        database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        for first in range(1, sellers + 1, BATCH):
            numbers = range(first, min(first + BATCH, sellers + 1))
            missing = _missing(database, numbers)
            report.present += len(numbers) - len(missing)
            for table, count in _write(database, missing, hashed, settings.currency).items():
                report.created[table] += count
            tick(len(numbers))
        # Until autovacuum runs, plans would assume the previous sizes of the tables.
        database.execute_sql("ANALYZE users, products, orders")
    return report


def _missing(database: Pool, numbers: Sequence[int]) -> list[int]:
    addresses = [email_of(number) for number in numbers]
    sql = "SELECT lower(email) FROM users WHERE lower(email) = ANY(%s)"
    there = {email for (email,) in database.execute_sql(sql, (addresses,)).fetchall()}
    return [number for number, address in zip(numbers, addresses, strict=True) if address not in there]


def _write(database: Pool, numbers: list[int], hashed: str, currency: str) -> dict[str, int]:
    """Insert some sellers with all their rows, and count the rows by table."""
    users: list[tuple[Any, ...]] = []
    products: list[tuple[Any, ...]] = []
    orders: list[tuple[Any, ...]] = []
    made = [seller(number) for number in numbers]
    survivors = _survivors(database, made)
    user_ids = _ids(database, "users", len(made))
    product_ids = iter(_ids(database, "products", sum(len(one.offers) for one in made)))
    for user_id, one in zip(user_ids, made, strict=True):
        users.append((user_id, one.email, hashed, one.created_at, one.created_at))
        ids = []
        for offer in one.offers:
            ids.append(next(product_ids))
            times = (offer.created_at, offer.created_at)
            described = (offer.name, offer.description, offer.price, currency, offer.status)
            products.append((ids[-1], user_id, *described, *times))
        for sale in one.sales:
            if str(sale.id) not in survivors:
                offer = one.offers[sale.offer]
                buyer = (sale.email, sale.name, sale.status)
                copied = (ids[sale.offer], user_id, offer.name, offer.price, currency)
                orders.append((sale.id, *copied, *buyer, sale.created_at, sale.updated_at))
    return {
        "users": _copy(database, "users (id, email, password, created_at, updated_at)", users),
        "products": _copy(
            database,
            "products (id, user_id, name, description, price, currency, status, created_at, updated_at)",
            products,
        ),
        "orders": _copy(
            database,
            "orders (id, product_id, seller_id, product_name, amount, currency, email, name, status,"
            " created_at, updated_at)",
            orders,
        ),
    }


def _survivors(database: Pool, sellers: Iterable[Seller]) -> set[str]:
    """The ids of orders that exist although their seller does not: an order outlives its seller."""
    ids = [str(sale.id) for one in sellers for sale in one.sales]
    rows = database.execute_sql("SELECT id::text FROM orders WHERE id = ANY(%s::uuid[])", (ids,)).fetchall()
    return {order_id for (order_id,) in rows}


def _ids(database: Pool, table: str, count: int) -> list[int]:
    """Take ids from the table's sequence, so that later inserts continue after them."""
    sql = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
    return [row_id for (row_id,) in database.execute_sql(sql, (table, count)).fetchall()]


def _copy(database: Pool, target: str, rows: list[tuple[Any, ...]]) -> int:
    text = io.StringIO()
    # None becomes an unquoted empty field, which PostgreSQL reads as NULL.
    csv.writer(text).writerows(rows)
    text.seek(0)
    database.cursor().copy_expert(f"COPY {target} FROM STDIN WITH (FORMAT csv)", text)
    return len(rows)
