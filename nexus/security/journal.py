"""The security log: what happened to accounts, a line each, which no text of a client can forge."""

import structlog
from flask import g, has_request_context

from nexus.security.address import client_address

log = structlog.stdlib.get_logger("nexus.security")


def record(event: str, **facts: object) -> None:
    """Write one event with its facts, and the request and address that it came by where one did.

    Values other than integers are logged as quoted strings, so client text cannot forge a line.
    """
    if has_request_context():
        facts |= {"request": g.request_id, "address": client_address()}
    told = {name: value if isinstance(value, int) else str(value) for name, value in facts.items()}
    log.info(event, **told)
