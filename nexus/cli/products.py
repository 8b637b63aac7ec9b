"""`flask products`: viewing products as the operator, drafts included."""

import json

import click

from nexus.cli.failing import plainly, refuse_pending
from nexus.cli.printing import as_json, print_fields
from nexus.db import session
from nexus.models.catalog import DRAFT, LIVE, Product
from nexus.schemas.catalog import product_out
from nexus.schemas.fields import MAX_ID

ID = click.IntRange(1, MAX_ID)
#: The maximum that PostgreSQL accepts.
LIMIT = click.IntRange(1, 2**63 - 1)


@click.group()
def products() -> None:
    """Show products, drafts included."""


@products.command("list")
@click.option("--user", type=ID, help="Only products of the account with this id.")
@click.option("--status", type=click.Choice([LIVE, DRAFT]), help="Only products with this status.")
@click.option("--limit", type=LIMIT, default=50, show_default=True, help="Maximum number.")
@as_json("the list")
@plainly
def list_products(*, user: int | None, status: str | None, limit: int, as_json: bool) -> None:
    """List products, the highest id first."""
    refuse_pending()
    query = Product.select().order_by(Product.id.desc()).limit(limit)
    if user is not None:
        query = query.where(Product.user == user)
    if status is not None:
        query = query.where(Product.status == status)
    with session():
        found = [product_out(product) for product in query]
    if as_json:
        click.echo(json.dumps({"products": found}, ensure_ascii=False))
        return
    for one in found:
        click.echo("{id:>8}  {userId:>8}  {status:<5}  {price:>8} {currency}  {name!r}".format_map(one))


@products.command()
@click.argument("product", type=ID)
@as_json("the product")
@plainly
def show(*, product: int, as_json: bool) -> None:
    """Show the product with the id PRODUCT."""
    refuse_pending()
    with session():
        found = Product.select().where(Product.id == product).first()
    if found is None:
        raise click.ClickException(f"there is no product {product}")
    shown = product_out(found)
    if as_json:
        click.echo(json.dumps({"product": shown}, ensure_ascii=False))
        return
    print_fields(shown)
