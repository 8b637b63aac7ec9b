"""Reports of unexpected exceptions to Sentry: type, traceback, route and request id, and nothing else."""

import atexit

from flask import Flask, current_app, g, request

from nexus.config import Settings


def init_app(app: Flask, settings: Settings) -> None:
    """Report unexpected exceptions to Sentry, if SENTRY_DSN is set."""
    if settings.sentry_dsn is None:
        return
    from sentry_sdk import Client

    client = Client(
        dsn=settings.sentry_dsn,
        environment=settings.app_env,
        # By default it would collect requests, log lines and command-line arguments.
        default_integrations=False,
        # A variable may hold a password.
        include_local_variables=False,
        auto_session_tracking=False,
    )
    # Sends what is still queued when the process ends.
    atexit.register(client.close)
    app.extensions["sentry"] = client


def report(error: Exception) -> None:
    """Send the exception of the current request, in the background."""
    client = current_app.extensions.get("sentry")
    if client is None:
        return
    from sentry_sdk.utils import event_from_exception

    event, _ = event_from_exception(error, client_options=client.options)
    for one in event["exception"]["values"]:
        # The messages: the driver's quote rows, and others the input.
        del one["value"]
    route = request.url_rule.rule if request.url_rule else "(no route)"
    client.capture_event(
        {**event, "transaction": f"{request.method} {route}", "tags": {"request": g.request_id}}
    )
