"""The format of log lines, whatever their source: JSON, or in development a text for people."""

import json
import logging
import time
import traceback
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
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

#: For what orjson refuses, such as huge integers, and for what it would not write in ASCII.
encode = json.JSONEncoder(default=str, separators=(",", ":")).encode


def write(log: logging.Logger, level: int, events: Sequence[tuple[float, EventDict]]) -> None:
    """Log events, each with its time (seconds since 1970), as one record, at a fraction of its usual cost.

    The record starts as a copy of an earlier one.
    """
    if events and log.isEnabledFor(level):
        at, _ = events[-1]
        record = logging.LogRecord.__new__(logging.LogRecord)
        vars(record).update(_blank(log, level), msg=events, created=at, msecs=at % 1 * 1000)
        log.handle(record)


@cache
def _blank(log: logging.Logger, level: int) -> dict[str, Any]:
    return vars(log.makeRecord(log.name, level, "", 0, "", (), None))


class Lines(logging.Formatter):
    """Writes each record as one line, or as one for each event that it has as a list.

    Records of other packages are events without fields.
    """

    def __init__(self, write: Callable[[EventDict], str]) -> None:
        """Take the function that renders an event, which it may modify."""
        super().__init__()
        self._write = write

    def format(self, record: logging.LogRecord) -> str:
        """The line or lines of a record."""
        source = {"level": record.levelname.lower(), "logger": record.name}
        if isinstance(record.msg, list):
            write = self._write
            return "\n".join([write({"at": _moment(at), **source, **event}) for at, event in record.msg])
        event = {"at": _moment(record.created), **source}
        if isinstance(record.msg, dict):
            return self._write({**event, **record.msg})
        event["event"] = record.getMessage()
        return self._write({**event, "exc_info": record.exc_info} if record.exc_info else event)


def handler(*, development: bool) -> logging.Handler:
    """The handler that writes every line to standard error."""
    writer = logging.StreamHandler()
    writer.setFormatter(Lines(for_people if development else for_machines))
    return writer


def server_config(*, development: bool, level: str) -> dict[str, Any]:
    """The logging configuration that gives gunicorn's own lines, also its master's, our format."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {},
        "handlers": {"lines": {"()": handler, "development": development}},
        "root": {"level": level, "handlers": ["lines"]},
        # Only its handlers are removed: its level is a setting of its own.
        "loggers": {name: {"handlers": [], "propagate": True} for name in ("gunicorn.error", "_granian")},
    }


def for_machines(event: EventDict) -> str:
    """One JSON object in ASCII, which no value can break out of.

    Of an exception it has types and locations but no message: the driver's quote rows, and others the input.
    """
    if error := _error(event):
        event["exception"] = [
            {"type": type(one).__qualname__, "at": [f"{at.filename}:{at.lineno} {at.name}" for at in frames]}
            for one in _chain(error)
            for frames in [traceback.extract_tb(one.__traceback__)]
        ]
    try:
        line = orjson.dumps(event, str, orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS)
    except TypeError:
        return encode(event)
    # Delete is the only control character that orjson does not escape.
    return line.decode("ascii") if line.isascii() and b"\x7f" not in line else encode(event)


def for_people(event: EventDict) -> str:
    """Time, level, logger, event and fields; below, indented, the full traceback of an exception."""
    error = _error(event)
    head = [event.pop(name) for name in ("at", "level", "logger", "event")]
    facts = "".join(f" {name}={value!r}" for name, value in event.items())
    below = "".join(traceback.format_exception(error)).splitlines() if error else []
    first = f"{head[0]} {head[1]} {head[2]}: {head[3]}{facts}"
    return "\n    ".join(map(harmless, (first, *below)))


def harmless(text: object) -> str:
    """Text from a client, safe to show: characters that could control a terminal are escaped."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in str(text))


def _moment(at: float) -> str:
    """A time in UTC, with milliseconds."""
    return f"{_second(int(at))}.{int(at % 1 * 1000):03}+00:00"


@lru_cache(4)
def _second(since: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since))


def _error(event: EventDict) -> BaseException | None:
    given: BaseException | tuple[Any, BaseException | None, Any] | None = event.pop("exc_info", None)
    return given[1] if isinstance(given, tuple) else given


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error and error not in chain:
        chain.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return chain
