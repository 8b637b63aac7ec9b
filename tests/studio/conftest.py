"""A studio over the tables of the test run, and somebody whom it has let in."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from nexus.config import Settings
from nexus.db import database
from nexus.studio import create_studio
from nexus.studio.door import Door

PORT = 5555
HOST = f"127.0.0.1:{PORT}"


class Browser(FlaskClient):
    """A browser that speaks English and goes to the studio's address."""

    def open(self, *arguments: Any, **options: Any) -> TestResponse:
        """Ask for a page."""
        options["headers"] = {"Accept-Language": "en", "Host": HOST, **options.get("headers", {})}
        return super().open(*arguments, base_url=f"http://{HOST}", **options)


def studio(settings: Settings, door: Door, *, write: bool = False) -> FlaskClient:
    """A browser before a studio, that nobody has let in yet."""
    with database.connection_context():
        made = create_studio(settings, door, write=write)
    made.test_client_class = Browser
    return made.test_client()


@pytest.fixture
def reader(app: Flask, settings: Settings) -> FlaskClient:
    """Somebody who came by the link of a read-only studio."""
    door = Door(PORT)
    client = studio(settings, door)
    assert client.get(door.link).status_code == 303
    return client
