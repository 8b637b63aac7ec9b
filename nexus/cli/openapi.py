"""`flask openapi`: the OpenAPI document."""

import click
import orjson
from flask import current_app

from nexus.api.openapi import text
from nexus.cli.failing import plainly


@click.command()
@plainly
def openapi() -> None:
    """Print the OpenAPI 3.1 document of the API as JSON."""
    click.echo(orjson.dumps(orjson.loads(text(current_app)), option=orjson.OPT_INDENT_2))
