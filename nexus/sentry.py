"""What Sentry hears of a mistake of ours: which one, where in the code, in which route, and nothing else."""

import atexit

from flask import Flask, current_app, g, request

from nexus.config import Settings


def init_app(app: Flask, settings: Settings) -> None:
    """Send each unforeseen error to Sentry, if SENTRY_DSN says where that is."""
    if settings.sentry_dsn is None:
        return
    from sentry_sdk import Client

    client = Client(
        dsn=settings.sentry_dsn,
        environment=settings.app_env,
        # What it would collect by itself: requests, lines of the log, arguments of the command.
        default_integrations=False,
        # A variable may hold a password.
        include_local_variables=False,
        auto_session_tracking=False,
    )
    # What waits to be sent when the process ends.
    atexit.register(client.close)
    app.extensions["sentry"] = client


def report(error: Exception) -> None:
    """Send the error of this request; it waits for nobody."""
    client = current_app.extensions.get("sentry")
    if client is None:
        return
    from sentry_sdk.utils import event_from_exception

    event, _ = event_from_exception(error, client_options=client.options)
    for one in event["exception"]["values"]:
        # The driver's words quote rows, and others the input.
        del one["value"]
    route = request.url_rule.rule if request.url_rule else "(no route)"
    client.capture_event(
        {**event, "transaction": f"{request.method} {route}", "tags": {"request": g.request_id}}
    )
