"""The logged events with their fields."""

from typing import Any

import pytest


def events(caplog: pytest.LogCaptureFixture, logger: str = "nexus") -> list[dict[str, Any]]:
    """Return the events of this logger and its children, in order."""
    found = [record for record in caplog.records if f"{record.name}.".startswith(f"{logger}.")]
    return [record.msg for record in found if isinstance(record.msg, dict)]
