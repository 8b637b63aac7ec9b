"""Orders as a CSV file for spreadsheets: its columns, and the protection against formula injection."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import UTC
from decimal import Decimal

from nexus.currencies import minor_digits
from nexus.models.orders import Order
from nexus.schemas.fields import rfc3339

#: `date` and `total` are in a form that spreadsheets understand; the others are as everywhere in the API.
COLUMNS = (
    *("id", "date", "status", "productId", "productName", "email", "name"),
    *("total", "currency", "amount", "createdAt", "updatedAt"),
)
#: The byte order mark, without which Excel would take UTF-8 for the system's own encoding.
BOM = "\ufeff"

#: The beginning of a cell that could be a formula. Excel in East Asia accepts the full-width signs too.
FORMULA = re.compile(r"[\t\r\n]|\s*+[-=+@＝＋－＠]")
#: Where another cell could begin within ours, and a formula's first sign in it. In much of Europe, Excel
#: separates cells by semicolons: it ignores the quotes around ours, and takes those within for a new cell.
INNER = re.compile(r'([;\t\r\n][;\s"]*+)([-=+@＝＋－＠]?)')


def csv_pieces(batches: Iterable[Iterable[Order]]) -> Iterator[str]:
    """The CSV (RFC 4180) in pieces, one for each batch; the first begins with the column names."""
    head: list[tuple[object, ...]] = [COLUMNS]
    mark = BOM
    for batch in batches:
        text = io.StringIO(newline="")
        csv.writer(text).writerows([*head, *map(cells, batch)])
        yield mark + text.getvalue()
        head, mark = [], ""


def cells(order: Order) -> tuple[object, ...]:
    """One order as a row."""
    return (
        order.id,
        f"{order.created_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        order.status,
        order.product_id,
        escaped(order.product_name),
        escaped(order.email),
        order.name and escaped(order.name),
        total(order.amount, order.currency),
        order.currency,
        order.amount,
        rfc3339(order.created_at),
        rfc3339(order.updated_at),
    )


def escaped(text: str) -> str:
    """A text with an apostrophe wherever a spreadsheet could see the beginning of a formula."""
    text = INNER.sub(lambda found: f"{found[1]}'{found[2]}" if found[2] else found[1], text)
    return f"'{text}" if FORMULA.match(text) else text


def total(amount: int, currency: str) -> str:
    """An amount in the currency's main unit, with a decimal point: 49.99 for 4999 in USD."""
    return f"{Decimal(amount).scaleb(-minor_digits(currency)):f}"
