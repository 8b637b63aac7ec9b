"""The examples of docs/clients.md."""

import re
from pathlib import Path


def examples(root: Path, language: str) -> list[str]:
    """The examples in one language, verbatim."""
    page = (root / "docs" / "clients.md").read_text("utf-8")
    return re.findall(rf"^```{language}\n(.+?)^```", page, re.M | re.S)
