"""Every list that is offered is carried by an index: PostgreSQL walks it, and sorts nothing that grows."""

import re
from collections.abc import Iterator
from itertools import product
from typing import Any

from flask import Flask

from nexus.db import database
from nexus.listing.rows import Listing, value_of
from nexus.listing.tables import Column, Table, read_tables
from tests.studio.test_pages import heard

#: With these it takes an index wherever one serves, even over tables that are empty.
WHERE_POSSIBLE = (
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
)


def test_an_index_carries_each_list_from_its_beginning_and_from_its_middle(app: Flask) -> None:
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
                # What is found by all columns of an index is sorted by the key, which it does not have.
                if listing.sort != table.key.name:
                    assert not re.search(r"(?<!Incremental )Sort  \(", plan), (listing, plan)
                seen += 1
    assert seen > 100


def lists(table: Table) -> Iterator[tuple[Listing, list[Any] | None]]:
    """Every list of a table that is offered, with a place in it or none."""
    for names in (frozenset[str](), *table.filters):
        filters = {name: some(table.column(name)) for name in names}
        for (sort, order), down in product(table.sorts(names).items(), (False, True)):
            listing = Listing(table=table, filters=filters, sort=sort, descending=down)
            yield listing, None
            yield listing, [some(term.column) for term in order.terms]


def some(column: Column) -> Any:
    """A value that a column could have."""
    if column.is_time:
        return "2026-01-01T00:00:00Z"
    return value_of(column, "5eb63bbb-e01e-4d1a-bc63-3f5a21fdd1ba" if column.type == "uuid" else "1")


def explained(sql: str, values: Any) -> str:
    """What PostgreSQL would do."""
    return "\n".join(line for (line,) in database.execute_sql(f"EXPLAIN {sql}", values).fetchall())
