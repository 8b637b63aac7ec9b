"""Test clients of the staff pages, anonymous or signed in as an admin."""

import re
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from nexus.config import Settings
from tests.factories import PASSWORD, register
from tests.sql import query

ORIGIN = "http://localhost"


class Browser(FlaskClient):
    """A test client that asks for English, keeps cookies, and sends an Origin header."""

    def open(self, *arguments: Any, **options: Any) -> TestResponse:
        """Send a request."""
        options["headers"] = {"Accept-Language": "en", "Origin": ORIGIN, **options.get("headers", {})}
        return super().open(*arguments, **options)

    def sign_in(self, email: str) -> TestResponse:
        """Submit the sign-in form."""
        return self.post("/admin/sign-in", data={"email": email, "password": PASSWORD})

    def form(self, path: str, action: str) -> dict[str, str]:
        """The fields of the form on a page that posts to `action`."""
        page = self.get(path).text.partition(f'action="{action}"')[2].partition("</form>")[0]
        fields = dict(re.findall(r'<input (?:type="hidden" )?name="(\w+)" value="([^"]*)"', page))
        fields |= dict(re.findall(r'<textarea name="(\w+)"[^>]*>\n(.*?)</textarea>', page, re.S))
        return {name: unescape(value) for name, value in fields.items()}


@pytest.fixture
def browser(app: Flask) -> Browser:
    """A client that is not signed in."""
    return Browser(app, app.response_class)


@pytest.fixture
def staff(app: Flask, browser: Browser, settings: Settings) -> Browser:
    """A client that is signed in as an admin."""
    register(app, "staff@example.com")
    query(settings, "UPDATE users SET role = 'admin' WHERE email = 'staff@example.com'")
    assert browser.sign_in("staff@example.com").status_code == 303
    # The first page view of a process takes extra queries, which list the tables.
    assert browser.get("/admin").status_code == 200
    return browser
