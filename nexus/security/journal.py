"""The security log: one line for each event of an account, which no client can forge."""

import structlog
from flask import g, has_request_context

from nexus.security.address import client_address

log = structlog.stdlib.get_logger("nexus.security")


def record(event: str, **facts: object) -> None:
    """Log one event with its facts, and within a request with the request's id and address.

    Values other than integers are logged as quoted strings, so client text cannot forge a line.
    """
    if has_request_context():
        facts |= {"request": g.request_id, "address": client_address()}
    shown = {name: value if isinstance(value, int) else str(value) for name, value in facts.items()}
    log.info(event, **shown)
