"""The warning of a service that starts with more connections than there is room for."""

import pytest

from nexus.config import Settings
from nexus.doctor.start import warn_of_room


def test_too_many_connections_are_told_of(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    warn_of_room(settings.model_copy(update={"web_concurrency": 1000}))

    (told,) = caplog.messages
    assert told.startswith("too little room for connections: 5002 needed (WEB_CONCURRENCY 1000 x 5 each")
    assert "lower WEB_CONCURRENCY or DATABASE_POOL_SIZE" in told


@pytest.mark.parametrize(
    "changes", [{"web_concurrency": 1}, {"database_url": "postgresql://postgres@127.0.0.1:1/nexus"}]
)
def test_enough_of_them_and_none_at_all_are_not(
    settings: Settings, caplog: pytest.LogCaptureFixture, changes: dict[str, object]
) -> None:
    warn_of_room(settings.model_copy(update=changes))

    assert not caplog.messages
