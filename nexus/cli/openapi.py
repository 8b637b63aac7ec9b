"""`flask openapi`: the description of the API."""

import click
import orjson
from flask import current_app

from nexus.api.openapi import text
from nexus.cli.failing import plainly


@click.command()
@plainly
def openapi() -> None:
    """Print the description of the API, OpenAPI 3.1 in JSON."""
    click.echo(orjson.dumps(orjson.loads(text(current_app)), option=orjson.OPT_INDENT_2))
