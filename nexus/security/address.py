"""Where a request comes from."""

from flask import request


def client_address() -> str:
    """The address of the client, as the connection tells it."""
    return request.remote_addr or ""
