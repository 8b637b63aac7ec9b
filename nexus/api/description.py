"""The OpenAPI description, over HTTP."""

import hashlib

from flask import Blueprint, Response, current_app

from nexus.api import openapi
from nexus.api.endpoint import described
from nexus.api.versions import tagged
from nexus.schemas.ops import Description

description = Blueprint("description", __name__)


@description.get("/openapi.json")
@described(answer=Description, headers=("ETag",), takes=("If-None-Match",))
def read_description() -> Response:
    """Return this description of the API."""
    text = openapi.text(current_app)
    response = Response(text, content_type="application/json")
    # It is the same for everyone, and cached only briefly so that a deployment shows soon.
    response.headers["Cache-Control"] = "public, max-age=300"
    return tagged(response, hashlib.sha256(text).hexdigest()[:32])
