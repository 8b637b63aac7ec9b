"""The pages of rows, for studio and admin: all tables, a list, one row, and search."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from flask import Blueprint, Response, abort, current_app, request, url_for

from nexus.errors import NotFound
from nexus.i18n import locale
from nexus.listing.finding import find
from nexus.listing.rows import COUNTED, Listing, count_small, estimates, latest, listing, referring
from nexus.listing.rows import row as read_row
from nexus.listing.tables import Table
from nexus.models.stats import shop_sales
from nexus.models.steps import STEPS
from nexus.pages import chart
from nexus.pages.page import show
from nexus.pages.window import window
from nexus.schemas.fields import rfc3339

#: How many characters of a text a list shows.
SHORT = 80


def serve_rows(blueprint: Blueprint, *, home_at: str) -> None:
    """Register the row pages on a blueprint; they are configured by the application's Window."""
    for rule, view in (
        (home_at, home),
        ("/find", search),
        ("/tables/<name>", rows),
        ("/tables/<name>/<key>", row),
    ):
        blueprint.add_url_rule(rule, view.__name__, view)


def home() -> Response:
    """Show recent sales, and all tables with their approximate numbers of rows."""
    days, language = chart.period(), locale()
    charts = chart.charts(days, shop_sales(days), currency=current_app.config["CURRENCY"], language=language)
    tables = window().tables()
    about = estimates()
    # A new shop has no estimates yet.
    counts = count_small(table for name, table in tables.items() if not about.get(name))
    return show(
        "data_home.html", tables=tables, estimates=about, counts=counts, counted=COUNTED, charts=charts
    )


def search() -> Response:
    """Show the rows that match a text: an id, an e-mail address, or words of a product."""
    text = request.args.get("q", "").strip()
    return show(
        "data_find.html", tables=window().tables(), q=text, found=find(window().tables(), text), cell=cell
    )


def rows(name: str) -> Response:
    """Show one page of a table's rows, all or filtered."""
    table = requested_table(name)
    filters = requested_filters()
    try:
        asked = requested_listing(table, filters)
    except NotFound:
        response = show("data_no_list.html", tables=window().tables(), table=table, filters=filters)
        response.status_code = 404
        return response
    list_url = partial(_url, ".rows", name, filters)

    def sort_url(column: str) -> str:
        up = column == asked.sort and asked.descending
        return list_url(sort=column, order="up" if up else "down")

    sort = {"sort": asked.sort} if table.pageable else {}
    order = {**sort, "order": "down" if asked.descending else "up"}
    return show(
        "data_rows.html",
        tables=window().tables(),
        table=table,
        filters=filters,
        listing=asked,
        sorts=table.sorts(frozenset(filters)),
        page=asked.page(request.args.get("cursor")),
        list_url=partial(list_url, **order),
        sort_url=sort_url,
        csv_url=_url(".download", name, filters, **order) if window().downloads else None,
        cell=cell,
    )


def row(name: str, key: str) -> Response:
    """Show one row: its visible columns, what it refers to, what refers to it, and an order's events."""
    return row_page(requested_table(name), key)


def row_page(
    table: Table,
    key: str,
    *,
    problems: Sequence[str] = (),
    typed: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    """The page of a row, after a refused change with its problems and with what was typed."""
    tables = window().tables()
    values = read_row(table, key)
    events = latest(tables["order_events"], {"order_id": key}).rows if table.name == "orders" else None
    response = show(
        "data_row.html",
        tables=tables,
        table=table,
        row=values,
        key=values[table.key.name],
        referring=referring(tables, table, values[table.key.name]),
        counted=COUNTED,
        events=events,
        # The key as the audit log writes it, whatever form of it the address has.
        audit=latest(tables["audit"], {"subject": table.name, "key": str(values[table.key.name])}),
        problems=problems,
        typed=typed or {},
        steps=STEPS,
        cell=cell,
    )
    response.status_code = status
    return response


def cell(value: Any, *, short: bool = False) -> str:
    """A value as text: a time in UTC, and if `short`, only the beginning of a long text."""
    if isinstance(value, datetime):
        return rfc3339(value)
    text = str(value)
    return f"{text[:SHORT]}…" if short and len(text) > SHORT else text


def requested_table(name: str) -> Table:
    """The table with this name, if the window has it; 404 otherwise."""
    table = window().tables().get(name)
    if table is None:
        abort(404)
    return table


def requested_filters() -> dict[str, str]:
    """The filters in the query string, such as `is.status=paid`; empty ones are ignored."""
    return {
        name.removeprefix("is."): value
        for name, value in request.args.items()
        if name.startswith("is.") and value
    }


def _url(endpoint: str, name: str, filters: Mapping[str, str], **query: str) -> str:
    asked: dict[str, Any] = {f"is.{column}": value for column, value in filters.items()} | query
    return url_for(endpoint, name=name, **asked)


def requested_listing(table: Table, filters: Mapping[str, str]) -> Listing:
    """The list that the query string asks for; NotFound if no index supports it."""
    descending = request.args.get("order", "down") != "up"
    return listing(table, filters, sort=request.args.get("sort") or None, descending=descending)
