"""Scripts, styles and images of the pages, each under a name with a hash of its content."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable

from flask import Blueprint, Flask, Response, request, url_for

from nexus.errors import NotFound

OURS = files("nexus") / "pages" / "static"
SWAGGER_UI = files("flask_swagger_ui") / "dist"
SOURCES: dict[str, Traversable] = {
    "base.css": OURS / "base.css",
    "data.css": OURS / "data.css",
    "docs.css": OURS / "docs.css",
    "docs.js": OURS / "docs.js",
    "icon.svg": OURS / "icon.svg",
    "swagger-ui.css": SWAGGER_UI / "swagger-ui.css",
    "swagger-ui.js": SWAGGER_UI / "swagger-ui-bundle.js",
}

assets = Blueprint("assets", __name__, url_prefix="/assets", template_folder="templates")


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A static file."""

    name: str
    content: bytes

    @cached_property
    def public_name(self) -> str:
        """Its name with a hash of its content, so that browsers may cache it forever."""
        stem, _, ending = self.name.rpartition(".")
        return f"{stem}.{hashlib.sha256(self.content).hexdigest()[:12]}.{ending}"

    @cached_property
    def packed(self) -> bytes:
        """The content, compressed with gzip."""
        return gzip.compress(self.content, mtime=0)

    @cached_property
    def content_type(self) -> str:
        """Its media type, with the charset UTF-8 if it is text."""
        kind = mimetypes.guess_type(self.name)[0] or "application/octet-stream"
        return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


@cache
def load(name: str) -> Asset:
    """Read an asset, once per process; a KeyError for an unknown one is a programming error."""
    return Asset(name=name, content=SOURCES[name].read_bytes())


def asset_url(name: str) -> str:
    """The URL of an asset, for templates."""
    return url_for("assets.send", public_name=load(name).public_name)


@assets.get("/<public_name>")
def send(public_name: str) -> Response:
    """Send an asset, compressed if the client accepts that."""
    stem, _, ending = public_name.rpartition(".")
    name = f"{stem.rpartition('.')[0]}.{ending}"
    if name not in SOURCES or load(name).public_name != public_name:
        raise NotFound
    asset = load(name)
    response = Response(asset.content, content_type=asset.content_type)
    if request.accept_encodings["gzip"]:
        response.set_data(asset.packed)
        response.content_encoding = "gzip"
    response.vary.add("Accept-Encoding")
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def init_app(app: Flask) -> None:
    """Serve the assets, and make the layout and `asset_url` available to templates."""
    app.register_blueprint(assets)
    app.jinja_env.globals["asset_url"] = asset_url
