"""Roles of accounts, which can only be changed by whoever sits at the machine."""

from flask import Blueprint, request
from werkzeug.wrappers import Response as Redirect

from nexus.errors import BadRequest
from nexus.models import accounts
from nexus.models.users import ADMIN, SELLER
from nexus.pages.changes import account, audited, done
from nexus.security import journal

roles = Blueprint("roles", __name__, url_prefix="/change")


@roles.post("/users/<int(signed=True):key>/role")
def change_role(key: int) -> Redirect:
    """Change an account's role."""
    user, role = account(key), request.form.get("role")
    if role not in (SELLER, ADMIN):
        raise BadRequest
    if role != user.role:
        with audited("change_role", "users", key) as (by, details):
            accounts.change_role(user, role=role)
            details["role"] = [user.role, role]
        journal.record("role_changed", user=user.id, role=role, before=user.role, by=by.name)
    return done("users", str(key))
