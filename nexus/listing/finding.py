"""Search across tables: by id, by e-mail address, or by words of a product."""

import re
from collections.abc import Mapping
from typing import Any

from nexus.errors import NotFound
from nexus.listing.rows import listing, row
from nexus.listing.tables import Table
from nexus.models.orders import CANONICAL
from nexus.models.search import Search, SearchText
from nexus.schemas.fields import spellings

#: How many rows of a table are shown at most.
FEW = 20

#: The tables and columns to search, by what the text looks like.
BY_ID = (("orders", "id"),)
BY_NUMBER = (("users", "id"), ("products", "id"), ("orders", "old_id"))
BY_ADDRESS = (("users", "email"), ("orders", "email"))
BY_OLD_ID = (("orders", "old_id"),)


def find(tables: Mapping[str, Table], text: str) -> dict[str, list[dict[str, Any]]]:
    """The matching rows by table, at most FEW of each, in at most four statements."""
    if not text or "\0" in text:
        return {}
    texts = dict.fromkeys(one.lower() for one in spellings(text)) if "@" in text else (text,)
    found = {
        name: [values for one in texts for values in _by(tables[name], column, one)][:FEW]
        for name, column in _columns(text)
    }
    if "@" not in text and not re.fullmatch(r"[\d-]+", text):
        found["products"] = _by_words(tables["products"], text)
    return {name: rows for name, rows in found.items() if rows}


def _columns(text: str) -> tuple[tuple[str, str], ...]:
    if "@" in text:
        return BY_ADDRESS
    if re.fullmatch(r"\d{1,18}", text, re.ASCII):
        return BY_NUMBER
    return BY_ID if CANONICAL.fullmatch(text) else BY_OLD_ID


def _by(table: Table, column: str, text: str) -> list[dict[str, Any]]:
    try:
        if column == table.key.name:
            return [row(table, text)]
        found = listing(table, {column: text}, sort=None, descending=True)
    except NotFound:
        return []
    return [one.values for one in found.page(None, limit=FEW).rows]


def _by_words(table: Table, text: str) -> list[dict[str, Any]]:
    """Products that have these words: of the newest ones, the best matches first."""
    matches = Search(SearchText.parse(text), user_id=None, seen=None).best_first(None, FEW)
    return [
        {column.name: getattr(match.product, column.name) for column in table.columns} for match in matches
    ]
