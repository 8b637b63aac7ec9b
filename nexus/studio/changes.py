"""What can be changed in a studio that is open for changes: what the models have a verb for, by that verb."""

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, current_app, g, redirect, request, url_for
from pydantic import ValidationError
from werkzeug.wrappers import Response as Redirect

from nexus.db import give_back
from nexus.errors import BadRequest, InvalidTransition, NexusError, NotFound, ValidationFailed
from nexus.i18n import locale, message
from nexus.listing.rows import row
from nexus.models import accounts
from nexus.models.catalog import Product
from nexus.models.orders import Order
from nexus.models.sessions import Session
from nexus.models.steps import Actor
from nexus.models.users import ADMIN, SELLER, User
from nexus.schemas.catalog import ProductChange
from nexus.schemas.fields import problems
from nexus.security import journal
from nexus.studio.views import row_page

changes = Blueprint("changes", __name__, url_prefix="/change")
changes.teardown_request(give_back)


@changes.post("/orders/<uuid:key>")
def move_order(key: object) -> Response | Redirect:
    """Take a step with an order, as its events tell by the operator."""
    by = Actor("operator", g.request_id)
    try:
        Order.move(Order.id == key, to=request.form.get("status", ""), by=by)
    except InvalidTransition as error:
        return _refused("orders", str(key), error)
    return _done("orders", str(key))


@changes.post("/products/<int(signed=True):key>")
def change_product(key: int) -> Response | Redirect:
    """Change the fields of a product that somebody wrote something else into, if nobody did so meanwhile.

    The others may hold what no form would take, such as a long name that was imported.
    """
    present = row(current_app.config["TABLES"]["products"], str(key))
    written = {
        name: _plain(request.form[name]) for name in ProductChange.model_fields if name in request.form
    }
    different = {name: value for name, value in written.items() if value != _plain(str(present[name]))}
    try:
        fields = ProductChange.model_validate(different).model_dump(exclude_unset=True)
        owner = _account(present["user_id"])
        Product.change(key, owner=owner, versions=[_version()], **fields)
    except ValidationError as error:
        return _refused("products", str(key), ValidationFailed(problems(error)))
    except NexusError as error:
        return _refused("products", str(key), error)
    return _done("products", str(key))


@changes.post("/users/<int(signed=True):key>/role")
def change_role(key: int) -> Response | Redirect:
    """Make an account a seller's or an admin's."""
    user, role = _account(key), request.form.get("role")
    if role not in (SELLER, ADMIN):
        raise BadRequest
    if role != user.role:
        accounts.change_role(user, role=role)
        journal.record("role_changed", user=user.id, role=role, before=user.role, by="operator")
    return _done("users", str(key))


@changes.post("/users/<int(signed=True):key>/sessions")
def end_sessions(key: int) -> Response | Redirect:
    """Sign an account out everywhere."""
    ended = Session.end_all(_account(key).id)
    journal.record("session_ended", user=key, sessions=ended, by="operator")
    return _done("users", str(key))


def _account(key: int) -> User:
    user: User | None = User.by_id(key).first()
    if user is None:
        raise NotFound
    return user


def _version() -> datetime:
    try:
        return datetime.fromisoformat(request.form.get("version", ""))
    except ValueError:
        raise BadRequest from None


def _plain(text: str) -> str:
    """A text with the line breaks that browsers make their own when they send a form."""
    return text.replace("\r\n", "\n")


def _done(table: str, key: str) -> Redirect:
    return redirect(url_for("studio.row", name=table, key=key), 303)


def _refused(table: str, key: str, error: NexusError) -> Response:
    """The row as it is, and why it was not changed."""
    language = locale()
    if isinstance(error, ValidationFailed):
        says = [_of_field(found) for found in error.problems]
    else:
        says = [message(error.code, language)]
    return row_page(current_app.config["TABLES"][table], key, problems=says, status=error.status)


def _of_field(found: dict[str, Any]) -> str:
    text = message(f"field.{found['code']}", locale()).format_map(found)
    return f"{found['field']} {text}"
