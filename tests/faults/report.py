"""The table of docs/reliability.md, from the results of the long tests of this folder."""

import os
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent.parent / "docs" / "reliability.md"
BEGIN, END = "<!-- results -->\n", "<!-- end of results -->\n"
HEAD = (
    "| fault | PostgreSQL | it lasted, s | answers | without an order, s | without a page, s "
    "| first order after it, s | slowest answer, s | acknowledged | missing | twice |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
)
COLUMNS = (
    "fault",
    "server",
    "lasted",
    "answers",
    "no order",
    "no page",
    "back",
    "slowest",
    "acknowledged",
    "missing",
    "twice",
)


def rendered(rows: Iterable[dict[str, Any]]) -> str:
    """Render the rows as a table, below a line about the machine."""
    lines = "".join(
        "| " + " | ".join(str(row.get(column, "")) for column in COLUMNS) + " |\n" for row in rows
    )
    machine = f"{platform.system()} {platform.machine()} with {os.cpu_count()} processors"
    packages = ", ".join(f"{name} {version(name)}" for name in ("gunicorn", "peewee", "psycopg2-binary"))
    return f"Run on {machine}, Python {platform.python_version()}, {packages}.\n\n{HEAD}{lines}"


def rewrite(rows: Iterable[dict[str, Any]], page: Path = PAGE) -> None:
    """Replace the rows of the last run on the page."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{rendered(rows)}\n{END}{after}", encoding="utf-8")
