"""What the log was told, as events with their facts."""

from typing import Any

import pytest


def events(caplog: pytest.LogCaptureFixture, logger: str = "nexus") -> list[dict[str, Any]]:
    """The events of this logger and those below it, in order."""
    told = [record for record in caplog.records if f"{record.name}.".startswith(f"{logger}.")]
    return [record.msg for record in told if isinstance(record.msg, dict)]
