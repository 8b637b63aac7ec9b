"""Every list on offer is read from an index, so PostgreSQL sorts nothing that grows with the table."""

import re
from collections.abc import Iterator
from itertools import product
from typing import Any

from flask import Flask

from nexus.db import database
from nexus.listing.rows import Listing, value_of
from nexus.listing.tables import Column, Table, read_tables
from tests.studio.test_pages import heard

#: Makes PostgreSQL use an index wherever one fits, even on empty tables.
WHERE_POSSIBLE = (
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
)


def test_first_and_later_pages_of_every_list_use_an_index(app: Flask) -> None:
    seen = 0
    with database.connection_context(), database.atomic():
        database.execute_sql(WHERE_POSSIBLE)
        for table in read_tables().values():
            for listing, place in lists(table):
                with heard() as statements:
                    listing.rows(place, 50)
                plan = explained(*statements[0])
                assert "Index" in plan, (listing, plan)
                assert "Seq Scan" not in plan, (listing, plan)
                # Rows found by all columns of an index still have to be sorted by the key, which it lacks.
                if listing.sort != table.key.name:
                    assert not re.search(r"(?<!Incremental )Sort  \(", plan), (listing, plan)
                seen += 1
    assert seen > 100


def lists(table: Table) -> Iterator[tuple[Listing, list[Any] | None]]:
    """Every list that a table offers, from its beginning and from a place in it."""
    for names in (frozenset[str](), *table.filters):
        filters = {name: some(table.column(name)) for name in names}
        for (sort, order), down in product(table.sorts(names).items(), (False, True)):
            listing = Listing(table=table, filters=filters, sort=sort, descending=down)
            yield listing, None
            yield listing, [some(term.column) for term in order.terms]


def some(column: Column) -> Any:
    """A value of the column's type."""
    if column.is_time:
        return "2026-01-01T00:00:00Z"
    return value_of(column, "5eb63bbb-e01e-4d1a-bc63-3f5a21fdd1ba" if column.type == "uuid" else "1")


def explained(sql: str, values: Any) -> str:
    """PostgreSQL's plan for a statement."""
    return "\n".join(line for (line,) in database.execute_sql(f"EXPLAIN {sql}", values).fetchall())
