"""Orders as a file for spreadsheets: its columns, and what keeps a text from being run as a formula."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import UTC
from decimal import Decimal

from nexus.currencies import minor_digits
from nexus.models.orders import Order
from nexus.schemas.fields import rfc3339

#: `date` and `total` are what a spreadsheet reads as such; the others say the same as everywhere in the API.
COLUMNS = (
    *("id", "date", "status", "productId", "productName", "email", "name"),
    *("total", "currency", "amount", "createdAt", "updatedAt"),
)
#: By it Excel knows UTF-8, which it takes for the machine's own encoding otherwise.
MARK = "\ufeff"

#: How a cell begins that could be a formula. The wide signs are what Excel in East Asia takes for the others.
FORMULA = re.compile(r"[\t\r\n]|\s*+[-=+@＝＋－＠]")
#: Where another cell could begin within ours, and the sign of a formula in it: Excel in half of Europe
#: separates cells by semicolons, and so sees no quotes around ours, but those within as the beginning of one.
INNER = re.compile(r'([;\t\r\n][;\s"]*+)([-=+@＝＋－＠]?)')


def written(batches: Iterable[Iterable[Order]]) -> Iterator[str]:
    """The file (RFC 4180) in pieces, one for each batch, the first with the names of the columns."""
    head: list[tuple[object, ...]] = [COLUMNS]
    mark = MARK
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
        guarded(order.product_name),
        guarded(order.email),
        order.name and guarded(order.name),
        total(order.amount, order.currency),
        order.currency,
        order.amount,
        rfc3339(order.created_at),
        rfc3339(order.updated_at),
    )


def guarded(text: str) -> str:
    """A text with an apostrophe wherever a spreadsheet could begin to read a formula in it."""
    text = INNER.sub(lambda found: f"{found[1]}'{found[2]}" if found[2] else found[1], text)
    return f"'{text}" if FORMULA.match(text) else text


def total(amount: int, currency: str) -> str:
    """An amount in the currency's own unit, with a decimal point: 4999 of USD are 49.99."""
    return f"{Decimal(amount).scaleb(-minor_digits(currency)):f}"
