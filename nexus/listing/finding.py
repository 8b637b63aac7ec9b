"""The rows that a person means by an id, an address or some words."""

import re
from collections.abc import Mapping
from typing import Any

from nexus.errors import NotFound
from nexus.listing.rows import listing, row
from nexus.listing.tables import Table
from nexus.models.orders import CANONICAL
from nexus.models.search import Asked, Search
from nexus.schemas.fields import spellings

#: How many rows of one table are shown.
FEW = 20

#: What finds a row, by what the text looks like: a table, and its column.
BY_ID = (("orders", "id"),)
BY_NUMBER = (("users", "id"), ("products", "id"), ("orders", "old_id"))
BY_ADDRESS = (("users", "email"), ("orders", "email"))
BY_OLD_ID = (("orders", "old_id"),)


def find(tables: Mapping[str, Table], text: str) -> dict[str, list[dict[str, Any]]]:
    """The rows by table, FEW of each at most, in four statements at most."""
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
    """Products by their words, the best of the newest first."""
    matches = Search(Asked.by(text), user_id=None, seen=None).best_first(None, FEW)
    return [
        {column.name: getattr(match.product, column.name) for column in table.columns} for match in matches
    ]
