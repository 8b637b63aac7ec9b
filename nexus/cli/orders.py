"""`flask orders`: viewing and changing orders as the operator."""

import json

import click

from nexus.cli.failing import plainly, refuse_pending
from nexus.cli.printing import as_json, print_fields
from nexus.cli.terminal import agree
from nexus.db import session
from nexus.errors import InvalidTransition, NotFound
from nexus.lines import harmless
from nexus.models.events import OrderEvent
from nexus.models.orders import Order
from nexus.models.steps import STEPS, Actor
from nexus.schemas.fields import spellings
from nexus.schemas.orders import event_out, order_out


@click.group()
def orders() -> None:
    """Manage orders; ORDER is an id, or an id from the old system."""


@orders.command()
@click.argument("order")
@as_json("the answer")
@plainly
def show(*, order: str, as_json: bool) -> None:
    """Show the order with the id or old id ORDER."""
    refuse_pending()
    with session():
        found = Order.select().where(Order.known_as(order)).first()
    if found is None:
        raise _unknown(order)
    _print_order(found, as_json=as_json)


@orders.command()
@click.argument("order")
@as_json("the answer")
@plainly
def events(*, order: str, as_json: bool) -> None:
    """List the events of an order, starting with its creation."""
    refuse_pending()
    with session():
        found = [event_out(event) for event in OrderEvent.of(Order.known_as(order))]
    if not found:
        raise _unknown(order)
    if as_json:
        click.echo(json.dumps({"events": found}, ensure_ascii=False))
        return
    for event in found:
        step = f"{event['from'] or '-'} -> {event['to']}"
        by = f"{harmless(event['actor']):<12}{harmless(event['requestId'] or '')}"
        click.echo(f"{event['at']}  {step:<25}{by}".rstrip())


@orders.command()
@click.argument("order")
@click.argument("status", type=click.Choice(list(STEPS)))
@as_json("the answer")
@plainly
def move(*, order: str, status: str, as_json: bool) -> None:
    """Move an order to STATUS, as the actor `operator`."""
    refuse_pending()
    try:
        with session():
            moved = Order.move(Order.known_as(order), to=status, by=Actor("operator"))
    except NotFound as error:
        raise _unknown(order) from error
    except InvalidTransition as error:
        allowed = ", ".join(error.extra["allowed"]) or "nothing"
        raise click.ClickException(f"the order cannot become {status}, only: {allowed}") from error
    _print_order(moved, as_json=as_json)


@orders.command("erase-buyer")
@click.argument("email")
@click.option("--yes", is_flag=True, help="Skip the confirmation.")
@as_json("the answer")
@plainly
def erase_buyer(*, email: str, yes: bool, as_json: bool) -> None:
    """Blank the address and name of the buyer EMAIL in all their orders; the amounts stay."""
    if not email:
        raise click.UsageError("EMAIL is empty, which is also the address of every erased buyer")
    refuse_pending()
    if not yes:
        question = f"Erase the address and name of {email} in all orders?"
        agree(question, refusal="this cannot be undone: add --yes to do it")
    with session():
        erased = Order.erase_buyer(*spellings(email))
    click.echo(json.dumps({"orders": erased}) if as_json else f"erased the buyer of {erased} orders")


def _unknown(order: str) -> click.ClickException:
    """The failure of a command whose order does not exist."""
    return click.ClickException(f"there is no order {order}")


def _print_order(order: Order, *, as_json: bool) -> None:
    shown = order_out(order)
    if as_json:
        click.echo(json.dumps({"order": shown}, ensure_ascii=False))
        return
    print_fields(shown, width=13)
