"""The pages of the studio."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any

from flask import Blueprint, Response, abort, current_app, request, url_for

from nexus.db import give_back
from nexus.errors import NotFound
from nexus.listing.finding import find
from nexus.listing.rows import COUNTED, Listing, Row, estimates, few, listing, referring
from nexus.listing.rows import row as read_row
from nexus.listing.tables import Table
from nexus.models.steps import STEPS
from nexus.pages.page import show
from nexus.schemas.fields import rfc3339
from nexus.schemas.orders_csv import MARK, guarded

studio = Blueprint("studio", __name__)
studio.teardown_request(give_back)

#: A cell of a list shows so many characters of a text.
SHORT = 80


@studio.get("/")
def home() -> Response:
    """All tables, with about how many rows each has."""
    tables = _tables()
    about = estimates()
    # A new shop has no estimates yet.
    counts = few(table for name, table in tables.items() if not about.get(name))
    return show("data_home.html", tables=tables, estimates=about, counts=counts, counted=COUNTED)


@studio.get("/find")
def search() -> Response:
    """The rows that a text means: an id, an address, words of a product."""
    text = request.args.get("q", "").strip()
    return show("data_find.html", tables=_tables(), q=text, found=find(_tables(), text), cell=cell)


@studio.get("/tables/<name>")
def rows(name: str) -> Response:
    """One page of a table's rows, or of those that filters find."""
    table = _table(name)
    filters = _filters()
    try:
        asked = _listing(table, filters)
    except NotFound:
        response = show("data_no_list.html", tables=_tables(), table=table, filters=filters)
        response.status_code = 404
        return response
    list_url = partial(_address, ".rows", name, filters)

    def sort_url(column: str) -> str:
        up = column == asked.sort and asked.descending
        return list_url(sort=column, order="up" if up else "down")

    sort = {"sort": asked.sort} if table.pageable else {}
    order = {**sort, "order": "down" if asked.descending else "up"}
    return show(
        "data_rows.html",
        tables=_tables(),
        table=table,
        filters=filters,
        listing=asked,
        sorts=table.sorts(frozenset(filters)),
        page=asked.page(request.args.get("cursor")),
        list_url=partial(list_url, **order),
        sort_url=sort_url,
        csv_url=_address(".download", name, filters, **order),
        cell=cell,
    )


@studio.get("/csv/<name>")
def download(name: str) -> Response:
    """All rows of a list as CSV."""
    table = _table(name)
    batches = _listing(table, _filters()).batches()
    # Read before anything is sent, so that what fails until then is a page.
    first = next(batches)
    response = Response(_written(table, chain([first], batches)), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


@studio.get("/tables/<name>/<key>")
def row(name: str, key: str) -> Response:
    """One row: all of it that may be seen, what it refers to, what refers to it, and an order's events."""
    return row_page(_table(name), key)


def row_page(table: Table, key: str, *, problems: Sequence[str] = (), status: int = 200) -> Response:
    """The page of a row, with what is wrong about a change to it."""
    tables = _tables()
    values = read_row(table, key)
    events = _events(tables["order_events"], key) if table.name == "orders" else None
    response = show(
        "data_row.html",
        tables=tables,
        table=table,
        row=values,
        key=values[table.key.name],
        referring=referring(tables, table, values[table.key.name]),
        counted=COUNTED,
        events=events,
        problems=problems,
        steps=STEPS,
        cell=cell,
    )
    response.status_code = status
    return response


def cell(value: Any, *, short: bool = False) -> str:
    """A value as people read it; times in UTC, and of a long text its beginning."""
    if isinstance(value, datetime):
        return rfc3339(value)
    text = str(value)
    return f"{text[:SHORT]}…" if short and len(text) > SHORT else text


def _events(table: Table, order: str) -> list[Row]:
    return listing(table, {"order_id": order}, sort="id", descending=False).page(None).rows


def _tables() -> Mapping[str, Table]:
    tables: Mapping[str, Table] = current_app.config["TABLES"]
    return tables


def _table(name: str) -> Table:
    table = _tables().get(name)
    if table is None:
        abort(404)
    return table


def _filters() -> dict[str, str]:
    """What the query says of columns: `is.status=paid`; a field that was left empty says nothing."""
    return {
        name.removeprefix("is."): value
        for name, value in request.args.items()
        if name.startswith("is.") and value
    }


def _address(endpoint: str, name: str, filters: Mapping[str, str], **query: str) -> str:
    asked: dict[str, Any] = {f"is.{column}": value for column, value in filters.items()} | query
    return url_for(endpoint, name=name, **asked)


def _listing(table: Table, filters: Mapping[str, str]) -> Listing:
    descending = request.args.get("order", "down") != "up"
    return listing(table, filters, sort=request.args.get("sort") or None, descending=descending)


def _written(table: Table, batches: Iterable[Iterable[Row]]) -> Iterator[str]:
    """The file (RFC 4180) in pieces; what a spreadsheet could take for a formula is guarded."""
    head: list[list[Any]] = [[column.name for column in table.columns]]
    mark = MARK
    for batch in batches:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(
            [*head, *([_field(value) for value in row.values.values()] for row in batch)]
        )
        yield mark + text.getvalue()
        head, mark = [], ""


def _field(value: Any) -> Any:
    return guarded(value) if isinstance(value, str) else value if value is None else cell(value)
