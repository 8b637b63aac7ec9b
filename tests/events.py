"""The logged events with their fields."""

from itertools import chain
from typing import Any

import pytest


def events(caplog: pytest.LogCaptureFixture, logger: str = "nexus") -> list[dict[str, Any]]:
    """Return the events of this logger and its children, in order."""
    found = [record for record in caplog.records if f"{record.name}.".startswith(f"{logger}.")]
    several = [record.msg if isinstance(record.msg, list) else [(0, record.msg)] for record in found]
    return [event for _, event in chain(*several) if isinstance(event, dict)]
