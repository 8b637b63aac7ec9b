"""Roles of accounts, which can only be changed by whoever sits at the machine."""

from flask import Blueprint, request
from werkzeug.wrappers import Response as Redirect

from nexus.errors import BadRequest
from nexus.models import accounts
from nexus.models.users import ADMIN, SELLER
from nexus.pages.changes import audited, done
from nexus.security import journal

roles = Blueprint("roles", __name__, url_prefix="/change")


@roles.post("/users/<int(signed=True):key>/role")
def change_role(key: int) -> Redirect:
    """Change an account's role."""
    role = request.form.get("role")
    if role not in (SELLER, ADMIN):
        raise BadRequest
    with audited("change_role", "users", key) as (by, details):
        before = accounts.change_role(key, role=role)
        if before != role:
            details["role"] = [before, role]
    if details:
        journal.record("role_changed", user=key, role=role, before=before, by=by.name)
    return done("users", str(key), details)
