"""A studio on the database of the test run, and clients of it."""

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
    """A test client that asks for English and uses the studio's address."""

    def open(self, *arguments: Any, **options: Any) -> TestResponse:
        """Send a request."""
        options["headers"] = {"Accept-Language": "en", "Host": HOST, **options.get("headers", {})}
        return super().open(*arguments, base_url=f"http://{HOST}", **options)


def studio(settings: Settings, door: Door, *, write: bool = False) -> FlaskClient:
    """A client of a new studio that has not opened its link yet."""
    with database.connection_context():
        made = create_studio(settings, door, write=write)
    made.test_client_class = Browser
    return made.test_client()


@pytest.fixture
def reader(app: Flask, settings: Settings) -> FlaskClient:
    """A client that has opened the link of a read-only studio."""
    door = Door(PORT)
    client = studio(settings, door)
    assert client.get(door.link).status_code == 303
    return client
