"""Lists of rows as CSV downloads."""

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from flask import Response

from nexus.listing.rows import Row
from nexus.listing.tables import Table
from nexus.pages.rows import cell, requested_filters, requested_listing, requested_table
from nexus.schemas.orders_csv import BOM, escaped


def download(name: str) -> Response:
    """Send all rows of a list as CSV."""
    table = requested_table(name)
    batches = requested_listing(table, requested_filters()).batches()
    # The first batch is read before anything is sent, so that a failure in it is shown as a page.
    first = next(batches)
    response = Response(_csv_pieces(table, chain([first], batches)), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _csv_pieces(table: Table, batches: Iterable[Iterable[Row]]) -> Iterator[str]:
    """The CSV (RFC 4180) in pieces, protected against formula injection."""
    head: list[list[Any]] = [[column.name for column in table.columns]]
    mark = BOM
    for batch in batches:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(
            [*head, *([_field(value) for value in row.values.values()] for row in batch)]
        )
        yield mark + text.getvalue()
        head, mark = [], ""


def _field(value: Any) -> Any:
    return escaped(value) if isinstance(value, str) else value if value is None else cell(value)
