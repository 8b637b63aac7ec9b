"""The warning at the start of a service that needs more connections than the server has left."""

import pytest

from nexus.config import Settings
from nexus.doctor.start import warn_of_room


def test_too_few_connections_are_logged_as_a_warning(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_room(settings.model_copy(update={"web_concurrency": 1000}))

    (message,) = caplog.messages
    assert message.startswith("too little room for connections: 8002 needed (WEB_CONCURRENCY 1000 x 8 each")
    assert "lower WEB_CONCURRENCY or DATABASE_POOL_SIZE" in message


@pytest.mark.parametrize(
    "changes", [{"web_concurrency": 1}, {"database_url": "postgresql://postgres@127.0.0.1:1/nexus"}]
)
def test_enough_connections_or_an_unreachable_server_give_no_warning(
    settings: Settings, caplog: pytest.LogCaptureFixture, changes: dict[str, object]
) -> None:
    warn_of_room(settings.model_copy(update=changes))

    assert not caplog.messages
