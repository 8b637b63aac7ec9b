"""What a line of the log looks like, whoever writes it: JSON, or in development a text for people."""

import json
import logging
import time
import traceback
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict

structlog.configure(
    processors=[structlog.stdlib.filter_by_level, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    wrapper_class=structlog.stdlib.BoundLogger,
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)

#: What orjson refuses, numbers of any size for example, and what it would not write in ASCII.
encode = json.JSONEncoder(default=str, separators=(",", ":")).encode
OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
#: The only one of the letters that nobody sees which orjson leaves as it is.
DELETE = b"\x7f"


class Lines(logging.Formatter):
    """Writes each record as one line; those of other packages are events without facts."""

    def __init__(self, write: Callable[[EventDict], str]) -> None:
        """Take what writes an event, of which the facts may be taken away."""
        super().__init__()
        self._write = write

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        event = {"at": _at(record), "level": record.levelname.lower(), "logger": record.name}
        if isinstance(record.msg, dict):
            return self._write({**event, **record.msg})
        told: EventDict = {**event, "event": record.getMessage()}
        return self._write({**told, "exc_info": record.exc_info} if record.exc_info else told)


def handler(*, development: bool) -> logging.Handler:
    """What writes every line to standard error."""
    writer = logging.StreamHandler()
    writer.setFormatter(Lines(for_people if development else for_machines))
    return writer


def of_server(*, development: bool, level: str) -> dict[str, Any]:
    """The configuration by which gunicorn's own lines, its master's included, look like all others."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {},
        "handlers": {"lines": {"()": handler, "development": development}},
        "root": {"level": level, "handlers": ["lines"]},
        # Only its handlers are taken away: its level is a setting of its own.
        "loggers": {name: {"handlers": [], "propagate": True} for name in ("gunicorn.error", "_granian")},
    }


def for_machines(event: EventDict) -> str:
    """One JSON object in ASCII, which no text can break out of.

    Of an exception it tells types and places, and not its words: the driver's quote rows, others the input.
    """
    if error := _error(event):
        event["exception"] = [
            {"type": type(one).__qualname__, "at": [f"{at.filename}:{at.lineno} {at.name}" for at in frames]}
            for one in _chain(error)
            for frames in [traceback.extract_tb(one.__traceback__)]
        ]
    try:
        line = orjson.dumps(event, str, OPTIONS)
    except TypeError:
        return encode(event)
    return line.decode("ascii") if line.isascii() and DELETE not in line else encode(event)


def for_people(event: EventDict) -> str:
    """Time, level and logger, what happened, and its facts; below it and indented, an exception whole."""
    error = _error(event)
    head = [event.pop(name) for name in ("at", "level", "logger", "event")]
    facts = "".join(f" {name}={value!r}" for name, value in event.items())
    below = "".join(traceback.format_exception(error)).splitlines() if error else []
    return "\n    ".join(
        harmless(line) for line in (f"{head[0]} {head[1]} {head[2]}: {head[3]}{facts}", *below)
    )


def harmless(text: object) -> str:
    """A text of a client's as it may be shown: what could command a terminal is spelled out."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in str(text))


def _at(record: logging.LogRecord) -> str:
    """Its time in UTC with milliseconds."""
    return f"{_second(int(record.created))}.{int(record.msecs):03}+00:00"


@lru_cache(4)
def _second(since: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since))


def _error(event: EventDict) -> BaseException | None:
    given: Any = event.pop("exc_info", None)
    error: BaseException | None = given[1] if isinstance(given, tuple) else given
    return error


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error and error not in chain:
        chain.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return chain
