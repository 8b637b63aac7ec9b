"""Generate a reproducible dump of the old shop, of any size: `python -m tests.benchmarks.dump FILE`."""

import argparse
import csv
import random
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from nexus.transfer.rows import OLD_ORDERS

Row = dict[str, Any]

#: The old shop's hashes of "password123", "correct horse battery", "пароль-с-юникодом" and "p@ss w0rd!".
HASHES = (
    "$2b$10$UiPHPToszjERkZ3VcpYZoe1oDWveDBO0nZrzBooCfwPCznVxlEEz2",
    "$2b$10$sQYCDW8plCUIhGC.bLiSUugQSjskK1Ceb8s2peW74ungnJSFLY2IW",
    "$2b$10$j1.i4jOHnnj3DxetYNDqSuo6qo2FcU6yCc1XOyCyeisU.Yg8kVo5y",
    "$2a$10$7DlJUoMyTSX1f0umOq1z2OEZM.01OAE6SM4OfPASrth/buRe2UyYa",
)
ADDRESSES = (
    "user{}@example.com",
    "Anna.K{}@Example.com",
    "o'neil+shop{}@example.co.uk",
    "иван{}@пример.рф",
    "UPPER_{}@EXAMPLE.ORG",
)
PRODUCTS = (
    "My Awesome Course {}",
    "Курс по фотографии №{}",
    'Icons, "flat" & bold, volume {}',
    "E-book {}; DROP TABLE products;--",
    "Path C:\\new\\table {}",
    "Two\nlines and a\ttab {}",
    "Emoji pack 🎉👩‍👩‍👧 {}",
    "Line\u2028separator, NUL's neighbour \x01 and \\N {}",
    "写真講座 {}",
    "  spaces around {}  ",
)
DESCRIPTIONS = (
    "This is the best course ever.",
    "",
    "Двадцать уроков,\nсъёмка и обработка.\r\n\r\nСкидка 100 %.",
    "<b>\"Quoted\"</b>, 'single', back\\slash, {braces}, $money$, \\. and a comma,",
    "𝕬 long one. " * 40,
)
NAMES = (
    None,
    "Иван Петров",
    "Zoë O'Hara",
    None,
    'Robert "Bobby" Tables',
    "李小龙",
    "😀",
    None,
    "",
    "A\\B\tC",
)
STATUSES = ("created", "processing", "paid", "paid", "paid", "paid", "refunded", "cancelled")
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
#: Milliseconds between orders: a prime, so that all parts of the times vary.
PACE = 61_007


def numbered(position: int) -> int:
    """Return the id of the row at a position (from 1), as if every eleventh row had been deleted."""
    return position + position // 10


def users(count: int) -> Iterator[Row]:
    """Generate accounts, whose addresses differ in more than case."""
    for at in range(1, count + 1):
        yield {
            "id": numbered(at),
            "email": ADDRESSES[at % len(ADDRESSES)].format(at),
            "password": HASHES[at % len(HASHES)],
        }


def product(at: int, *, sellers: int) -> Row:
    """Return the product at a position (from 1)."""
    return {
        "id": numbered(at),
        "userId": numbered(at * 31 % sellers + 1),
        "name": PRODUCTS[at % len(PRODUCTS)].format(at),
        "description": DESCRIPTIONS[at % len(DESCRIPTIONS)],
        "price": 0 if at % 50 == 0 else at * 7919 % 1_000_000 + 1,
    }


def orders(count: int, *, catalog: list[Row]) -> Iterator[Row]:
    """Generate orders, half with the old system's own ids and half with UUIDs."""
    rng = random.Random(42)
    for at in range(count):
        bought = catalog[at * 7907 % len(catalog)]
        moment = FIRST + timedelta(milliseconds=at * PACE)
        if at % 2:
            digits = f"{rng.getrandbits(128):032x}"
            key = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
        else:
            key = f"ord_{1_704_067_200_000 + at * PACE}"
        yield {
            "id": key,
            "productId": bought["id"],
            "email": ADDRESSES[at % len(ADDRESSES)].format(at % 100_003),
            "name": NAMES[at % len(NAMES)],
            "status": STATUSES[at % len(STATUSES)],
            "createdAt": f"{moment.isoformat(timespec='milliseconds')[:23]}Z",
            "amount": bought["price"],
        }


def write(path: Path, tables: dict[str, Iterable[Row]], *, shape: str) -> None:
    """Write the tables as JavaScript would: on one line, in one of the three layouts."""
    opening, closing = ("{", "}") if shape == "objects" else ("[", "]")
    with path.open("wb") as file:
        for number, (table, rows) in enumerate(tables.items()):
            file.write(f'{"," if number else "{"}"{table}":{opening}'.encode())
            for position, row in enumerate(rows, start=1):
                file.write(b"," if position > 1 else b"")
                file.write(entry(table, row, position=position, shape=shape))
            file.write(closing.encode())
        file.write(b"}")


def entry(table: str, row: Row, *, position: int, shape: str) -> bytes:
    """Encode a row; the old shop's keys were users' addresses, products' ids and orders' numbers."""
    if shape == "rows":
        return orjson.dumps(row)
    key = position if table == "orders" else row["email" if table == "users" else "id"]
    if shape == "maps":
        return orjson.dumps([key, row])
    return orjson.dumps(str(key)) + b":" + orjson.dumps(row)


#: The columns of the CSV files, for `\copy orders (id, ...) from 'orders.csv' csv header null '\N'`.
COLUMNS = {
    "users": ("id", "email", "password"),
    "products": ("id", "user_id", "name", "description", "price", "currency"),
    "orders": (
        *("id", "old_id", "seller_id", "product_id", "product_name", "email", "name", "status"),
        *("amount", "currency", "created_at", "updated_at"),
    ),
}


def write_csv(directory: Path, tables: dict[str, Iterable[Row]], *, catalog: list[Row]) -> None:
    """Write the rows that an import of the tables results in, one file per table, for `\\copy`."""
    by_id = {row["id"]: row for row in catalog}

    def imported(row: Row) -> tuple[Any, ...]:
        key, bought = row["id"], by_id[row["productId"]]
        new = str(uuid.uuid5(OLD_ORDERS, key)) if key.startswith("ord_") else key
        old = key if key.startswith("ord_") else None
        what = (new, old, bought["userId"], bought["id"], bought["name"], row["email"], row["name"])
        return *what, row["status"], row["amount"], "USD", row["createdAt"], row["createdAt"]

    finished: dict[str, Callable[[Row], tuple[Any, ...]]] = {
        "users": lambda row: tuple(row.values()),
        "products": lambda row: (*row.values(), "USD"),
        "orders": imported,
    }
    for table, rows in tables.items():
        with (directory / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS[table])
            writer.writerows(
                ["\\N" if value is None else value for value in finished[table](row)] for row in rows
            )


def main() -> None:
    """Parse the command line and write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--products", type=int, default=200_000)
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--shape", choices=("maps", "objects", "rows"), default="maps")
    parser.add_argument("--csv", type=Path, metavar="DIRECTORY", help="write the imported rows for \\copy")
    given = parser.parse_args()
    catalog = [product(at, sellers=given.users) for at in range(1, given.products + 1)]

    def tables() -> dict[str, Iterable[Row]]:
        bought = orders(given.orders, catalog=catalog)
        return {"users": users(given.users), "products": catalog, "orders": bought}

    write(given.file, tables(), shape=given.shape)
    if given.csv:
        given.csv.mkdir(exist_ok=True)
        write_csv(given.csv, tables(), catalog=catalog)


if __name__ == "__main__":
    main()
