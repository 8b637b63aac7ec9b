"""What people see in a browser: the layout of every page, and the documentation of the API."""

from flask import Flask

from nexus.pages import assets
from nexus.pages.docs import docs


def init_app(app: Flask) -> None:
    """Serve the pages and their assets."""
    assets.init_app(app)
    app.register_blueprint(docs)
