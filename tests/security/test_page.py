"""docs/security.md describes every event of the security log, and names only tests that exist."""

import re
from pathlib import Path

EVENT = re.compile(r'journal\.record\(\s*"(\w+)"')
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_security_event_is_documented(root: Path) -> None:
    page = (root / "docs/security.md").read_text(encoding="utf-8")
    sources = [path.read_text(encoding="utf-8") for path in (root / "nexus").rglob("*.py")]
    events = {event for source in sources for event in EVENT.findall(source)}

    assert "sign_in" in events
    assert not {event for event in events if f"`{event}`" not in page}


def test_every_test_named_on_the_page_exists(root: Path) -> None:
    named = TEST.findall((root / "docs/security.md").read_text(encoding="utf-8"))

    assert named
    for path, name in named:
        assert f"def {name}(" in (root / path).read_text(encoding="utf-8"), name
