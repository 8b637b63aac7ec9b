"""`flask studio`: the data browser."""

import os
import socket
from dataclasses import replace

import click
from flask import current_app

from nexus import embedded
from nexus.cli.failing import plainly, refuse_pending
from nexus.config import Settings
from nexus.database_url import DatabaseURL
from nexus.db import database, session
from nexus.studio import create_studio
from nexus.studio.door import Door
from nexus.studio.server import open_browser, serve

#: More than the six requests that a browser makes at a time.
CONNECTIONS = 10


@click.command()
@click.option("--write", is_flag=True, help="Allow changes, within the rules of the shop.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=5555,
    show_default=True,
    help="Listen on this port of 127.0.0.1; 0 takes a free one.",
)
@click.option("--no-browser", is_flag=True, help="Only print the link.")
@plainly
def studio(*, write: bool, port: int, no_browser: bool) -> None:
    """Open the data in the browser; it is read-only unless --write is given."""
    settings: Settings = current_app.config["SETTINGS"]
    refuse_pending()
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise click.ClickException(
            f"port {port} cannot be used ({reason}): choose another with --port"
        ) from None
    url = settings.direct or DatabaseURL.parse(embedded.url())
    database.configure(url if write else read_only(url), size=CONNECTIONS, wait=settings.pool_wait)
    door = Door(listener.getsockname()[1])
    with session():
        app = create_studio(settings, door, write=write)
    mode = "open for changes" if write else "read-only"
    click.echo(f"the studio is {mode}; stop it with Ctrl-C. This link opens it, once:")
    click.echo(door.link)
    if not no_browser:
        open_browser(door.link)
    serve(app, listener)


def read_only(url: DatabaseURL) -> DatabaseURL:
    """The same database, in sessions in which PostgreSQL itself makes every transaction read-only."""
    options = f"{url.parameters.get('options', '')} -c default_transaction_read_only=on".strip()
    return replace(url, parameters={**url.parameters, "options": options})
