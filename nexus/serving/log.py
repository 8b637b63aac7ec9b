"""gunicorn's logger without an access log."""

from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]


class Log(Logger):  # type: ignore[misc]
    """Logs messages of the server, but no requests, which the application logs itself.

    Given a logging configuration, gunicorn would build an access line for each request, and discard it.
    """

    def access(self, *args: Any) -> None:
        """Do nothing."""
