"""The changes that the pages allow: only through methods of the models, and audited."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, g, redirect, request, url_for
from pydantic import ValidationError
from werkzeug.wrappers import Response as Redirect

from nexus.errors import BadRequest, InvalidTransition, NexusError, NotFound, ValidationFailed
from nexus.i18n import locale, message
from nexus.listing.rows import instant, row
from nexus.models.audit import Audit
from nexus.models.catalog import Product
from nexus.models.orders import Order
from nexus.models.sessions import Session
from nexus.models.steps import STEPS, Actor
from nexus.models.users import User
from nexus.pages.failing import failed
from nexus.pages.rows import row_page
from nexus.pages.texts import text
from nexus.pages.window import window
from nexus.schemas.catalog import ProductChange
from nexus.schemas.fields import problems
from nexus.security import journal

changes = Blueprint("changes", __name__)
changes.register_error_handler(Exception, failed)


@changes.post("/orders/<uuid:key>")
def move_order(key: object) -> Response | Redirect:
    """Move an order to another status; its event names the same actor as the audit log."""
    status = request.form.get("status", "")
    if status not in STEPS:
        raise BadRequest
    try:
        with audited("move_order", "orders", key) as (by, details):
            # Locked, so that of two concurrent requests for the same step only one is audited.
            before = Order.select().where(Order.id == key).for_update().first()
            Order.move(Order.id == key, to=status, by=by)
            if before.status != status:
                details["status"] = status
    except InvalidTransition as error:
        return _refused("orders", str(key), error)
    return done("orders", str(key), details)


@changes.post("/products/<int(signed=True):key>")
def change_product(key: int) -> Response | Redirect:
    """Change those fields of a product that were edited, unless the product was changed meanwhile.

    The other fields may hold what the form would not accept, such as a long imported name.
    """
    present = row(window().tables()["products"], str(key))
    written = {
        name: _plain(request.form[name]) for name in ProductChange.model_fields if name in request.form
    }
    different = {name: value for name, value in written.items() if value != _plain(str(present[name]))}
    try:
        fields = ProductChange.model_validate(different).model_dump(exclude_unset=True)
        owner, versions = account(present["user_id"]), [_version()]
        with audited("change_product", "products", key) as (_, details):
            Product.change(key, owner=owner, versions=versions, **fields)
            details |= {name: [present[name], value] for name, value in fields.items()}
    except ValidationError as error:
        return _refused("products", str(key), ValidationFailed(problems(error)))
    except NexusError as error:
        return _refused("products", str(key), error)
    return done("products", str(key), details)


@changes.post("/users/<int(signed=True):key>/sessions")
def end_sessions(key: int) -> Response | Redirect:
    """End all sessions of an account."""
    user = account(key)
    with audited("end_sessions", "users", key) as (by, details):
        if ended := Session.end_all(user.id):
            details["sessions"] = ended
    if details:
        journal.record("session_ended", user=key, sessions=ended, by=by.name)
    return done("users", str(key), details)


@contextmanager
def audited(action: str, subject: str, key: object) -> Iterator[tuple[Actor, dict[str, Any]]]:
    """Run the block in one transaction with its audit; it gets the actor, and details to fill in."""
    by = Actor(window().actor(), g.request_id)
    with Audit.of(action, subject, key, by=by) as details:
        yield by, details


def account(key: int) -> User:
    """The account with this id; NotFound if there is none."""
    user: User | None = User.by_id(key).first()
    if user is None:
        raise NotFound
    return user


def done(table: str, key: str, details: dict[str, Any]) -> Redirect:
    """Redirect to the row as it is now, with a note that says whether `audited` had anything to audit."""
    note: dict[str, Any] = {"saved" if details else "unchanged": ""}
    return redirect(url_for(f"{window().name}.row", name=table, key=key, **note), 303)


def _version() -> datetime:
    try:
        return instant(request.form.get("version", ""))
    except (ValueError, OverflowError):
        raise BadRequest from None


def _plain(text: str) -> str:
    """A text with plain line breaks, which browsers convert to CRLF when they send a form."""
    return text.replace("\r\n", "\n")


def _refused(name: str, key: str, error: NexusError) -> Response:
    """The page of the row with the reason why it was not changed, and for invalid input what was typed."""
    table = window().tables()[name]
    if isinstance(error, ValidationFailed):
        says = [_of_field(found) for found in error.problems]
        return row_page(table, key, problems=says, typed=request.form, status=error.status)
    return row_page(table, key, problems=[message(error.code, locale())], status=error.status)


def _of_field(found: dict[str, Any]) -> str:
    language = locale()
    problem = message(f"field.{found['code']}", language).format_map(found)
    return text("data.of_field", language).format(field=found["field"], problem=problem)
