"""`flask users`: account management for the operator."""

import json
from typing import Any

import click
from flask import current_app
from pydantic import ValidationError

from nexus.cli.failing import plainly, refuse_pending
from nexus.cli.passwords import asked, refuse_weak
from nexus.cli.printing import as_json, print_fields
from nexus.cli.terminal import agree
from nexus.config import Settings
from nexus.db import session
from nexus.errors import EmailTaken, NotFound, OpenOrders
from nexus.i18n import message
from nexus.lines import harmless
from nexus.models import accounts
from nexus.models.sessions import Session
from nexus.models.users import ADMIN, SELLER, User
from nexus.schemas.auth import PasswordChoice, Registration, user_out
from nexus.schemas.fields import Input, problems, spellings
from nexus.security import journal

ROLE = click.Choice([SELLER, ADMIN])


@click.group()
def users() -> None:
    """Manage accounts; ACCOUNT is an e-mail address or an id."""


@users.command()
@click.argument("email")
@click.option("--role", type=ROLE, default=SELLER, show_default=True, help="Role of the account.")
@plainly
def create(*, email: str, role: str) -> None:
    """Create an account; its password is prompted for, or read from a pipe."""
    refuse_pending()
    given = _checked(Registration, email=email, password=asked())
    refuse_weak(given.password, email=given.email)
    with session() as database, database.atomic():
        try:
            user = User.register(email=given.email, password=given.password)
        except EmailTaken:
            raise click.ClickException(f"{given.email} already has an account") from None
        accounts.change_role(user.id, role=role)
    journal.record("account_created", user=user.id, role=role, by="operator")
    click.echo(f"created user {user.id}, {given.email}, {role}")


@users.command("list")
@click.option("--role", type=ROLE, help="Only accounts with this role.")
@as_json("the list")
@plainly
def list_users(*, role: str | None, as_json: bool) -> None:
    """List the accounts by id."""
    refuse_pending()
    with session():
        found = [dict(user_out(user)) for user in accounts.of_role(role)]
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    for one in found:
        click.echo(harmless("{id:>8}  {role:<6}  {createdAt}  {email}".format_map(one)))


@users.command()
@click.argument("account")
@as_json("the account")
@plainly
def show(*, account: str, as_json: bool) -> None:
    """Show one account, with the numbers of its products and orders."""
    refuse_pending()
    with session():
        user = _account(account)
        found: dict[str, Any] = {**user_out(user), **accounts.belongings(user.id)}
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    print_fields(found)


@users.command()
@click.argument("account")
@click.option("--role", type=ROLE, default=ADMIN, show_default=True, help="New role of the account.")
@plainly
def promote(*, account: str, role: str) -> None:
    """Make an account an admin, or a seller again."""
    refuse_pending()
    with session():
        user = _account(account)
        try:
            before = accounts.change_role(user.id, role=role)
        except NotFound:
            raise _unknown(account) from None
    if role != before:
        journal.record("role_changed", user=user.id, role=role, before=before, by="operator")
    click.echo(f"user {user.id}, {harmless(user.email)}, is now {role}")


@users.command("set-password")
@click.argument("account")
@plainly
def set_password(*, account: str) -> None:
    """Set a new password for an account; it is prompted for, or read from a pipe."""
    refuse_pending()
    with session():
        user = _account(account)
        given = _checked(PasswordChoice, newPassword=asked())
        refuse_weak(given.new_password, email=user.email)
        accounts.set_password(user.id, new=given.new_password)
    journal.record("password_changed", user=user.id, by="operator")
    click.echo(f"user {user.id}, {harmless(user.email)}, has a new password")


@users.command("end-sessions")
@click.argument("account")
@plainly
def end_sessions(*, account: str) -> None:
    """Sign an account out everywhere, at once."""
    refuse_pending()
    with session():
        user = _account(account)
        ended = Session.end_all(user.id)
    journal.record("session_ended", user=user.id, sessions=ended, by="operator")
    click.echo(f"ended {ended} sessions of user {user.id}, {harmless(user.email)}")


@users.command("reset-link")
@click.argument("account")
@as_json("the token")
@plainly
def reset_link(*, account: str, as_json: bool) -> None:
    """Print a password reset token for the owner of the account, valid once and for one hour."""
    settings: Settings = current_app.config["SETTINGS"]
    refuse_pending()
    with session():
        user = _account(account)
        token = accounts.Reset.make(user)
    journal.record("reset_offered", user=user.id, by="operator")
    if as_json:
        click.echo(json.dumps({"user": user.id, "token": token, "expiresIn": accounts.RESET_SECONDS}))
        return
    body = json.dumps({"token": token, "newPassword": "..."})
    click.echo(f"for user {user.id}, {harmless(user.email)}, valid once and for one hour:")
    click.echo(f"token {token}")
    # Only the address of a development server is known.
    address = f"http://127.0.0.1:{settings.port}" if settings.development else "https://ADDRESS-OF-THE-SHOP"
    click.echo(f"curl {address}/api/auth/reset -H 'Content-Type: application/json' -d '{body}'")


@users.command()
@click.argument("account")
@click.option("--yes", is_flag=True, help="Skip the confirmation.")
@plainly
def erase(*, account: str, yes: bool) -> None:
    """Delete an account with its products; its orders stay."""
    refuse_pending()
    with session():
        user = _account(account)
        owned = accounts.belongings(user.id)
        what = f"user {user.id}, {harmless(user.email)}, with {owned['products']} products"
        if not yes:
            agree(f"Delete {what}?", refusal=f"this deletes {what}: add --yes to do it")
        try:
            accounts.erase(user.id)
        except OpenOrders as error:
            orders = ", ".join(error.extra["orders"])
            raise click.ClickException(f"user {user.id} has open orders: {orders}") from None
    journal.record("account_erased", user=user.id, by="operator")
    click.echo(f"deleted {what}")


def _account(reference: str) -> User:
    """The account with an id or an e-mail address; ClickException if there is none."""
    known = User.by_id(int(reference)) if _is_id(reference) else None
    queries = [known] if known else [User.by_email(email) for email in spellings(reference)]
    user: User | None = next(filter(None, (query.first() for query in queries)), None)
    if user is None:
        raise _unknown(reference)
    return user


def _unknown(reference: str) -> click.ClickException:
    return click.ClickException(f"there is no account {reference}")


def _is_id(reference: str) -> bool:
    return reference.isascii() and reference.isdigit() and len(reference) < 19


def _checked(model: type[Input], **given: str) -> Any:
    """Validate input as the API would; ClickException that lists every problem."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        found = problems(error)
    texts = [message(f"field.{one['code']}", "en").format_map(one) for one in found]
    lines = [f"the {_name(one['field'])} {text}" for one, text in zip(found, texts, strict=True)]
    raise click.ClickException("; ".join(lines))


def _name(field: str) -> str:
    return "password" if field == "newPassword" else field
