"""Browsers before the pages for staff: nobody's, a seller's, an admin's."""

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
    """A browser that speaks English, keeps cookies, and says from where a form comes."""

    def open(self, *arguments: Any, **options: Any) -> TestResponse:
        """Ask for a page."""
        options["headers"] = {"Accept-Language": "en", "Origin": ORIGIN, **options.get("headers", {})}
        return super().open(*arguments, **options)

    def sign_in(self, email: str) -> TestResponse:
        """Send the form of the page where one signs in."""
        return self.post("/admin/sign-in", data={"email": email, "password": PASSWORD})

    def form(self, path: str, action: str) -> dict[str, str]:
        """What a form of a page holds, by its action."""
        page = self.get(path).text.partition(f'action="{action}"')[2].partition("</form>")[0]
        fields = dict(re.findall(r'<input (?:type="hidden" )?name="(\w+)" value="([^"]*)"', page))
        fields |= dict(re.findall(r'<textarea name="(\w+)"[^>]*>\n(.*?)</textarea>', page, re.S))
        return {name: unescape(value) for name, value in fields.items()}


@pytest.fixture
def browser(app: Flask) -> Browser:
    """Somebody who is not signed in."""
    return Browser(app, app.response_class)


@pytest.fixture
def staff(app: Flask, browser: Browser, settings: Settings) -> Browser:
    """An admin who has signed in."""
    register(app, "staff@example.com")
    query(settings, "UPDATE users SET role = 'admin' WHERE email = 'staff@example.com'")
    assert browser.sign_in("staff@example.com").status_code == 303
    # The first look of a process asks for more: what tables there are.
    assert browser.get("/admin").status_code == 200
    return browser
