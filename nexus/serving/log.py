"""gunicorn's log without its line for each request."""

from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]


class Log(Logger):  # type: ignore[misc]
    """Writes what the server says of itself; of requests the application's own log says more.

    gunicorn puts together a line that nobody reads whenever it is given a configuration of loggers.
    """

    def access(self, *args: Any) -> None:
        """Write nothing."""
