"""The security log: what happened to accounts, a line each, which no text of a client can forge."""

import logging

log = logging.getLogger("nexus.security")


def record(event: str, **facts: object) -> None:
    """Write one event with its facts; values are quoted, so that none can look like another line."""
    log.info("%s%s", event, "".join(f" {name}={value!r}" for name, value in facts.items()))
