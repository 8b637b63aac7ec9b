"""Orders: how they are placed, the steps that they take, who may see them."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID

import peewee
from peewee import SQL, Check, Value, fn

from nexus import metrics
from nexus.db import statement
from nexus.errors import InvalidTransition, NotForSale, NotFound, PriceChanged
from nexus.models.base import TOUCH, Model
from nexus.models.catalog import DRAFT, LIVE, Product
from nexus.models.steps import MOVED, PLACED, STEP, Actor
from nexus.models.users import User

#: An id as we write it. Python and PostgreSQL read other forms as well, which nobody was given.
CANONICAL = re.compile("(?i:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


class Wanted(TypedDict):
    """What a buyer asks for; the amount, where one is named, must be the price."""

    product_id: int
    email: str
    name: str | None
    amount: int | None


class Order(Model):
    """One buyer's order of one product, with the name and the price that it had at that moment."""

    triggers = (TOUCH, STEP, PLACED, MOVED)

    id = peewee.UUIDField(primary_key=True, constraints=[SQL("DEFAULT gen_random_uuid()")])
    #: The id that the old system gave it, where that was no UUID.
    old_id = peewee.TextField(null=True, constraints=[SQL("CONSTRAINT orders_old_id UNIQUE")])
    seller = peewee.ForeignKeyField(User, null=True, on_delete="SET NULL", index=False, lazy_load=False)
    seller_id: int | None
    product = peewee.ForeignKeyField(Product, null=True, on_delete="SET NULL", index=False, lazy_load=False)
    product_id: int | None
    product_name = peewee.TextField()
    email = peewee.TextField()
    name = peewee.TextField(null=True)
    status = peewee.TextField(
        constraints=[
            SQL("DEFAULT 'created'"),
            Check("status IN ('created', 'processing', 'paid', 'refunded', 'cancelled')", "orders_status"),
        ]
    )
    amount = peewee.BigIntegerField(constraints=[Check("amount >= 0", "orders_amount")])
    currency = peewee.TextField(constraints=[Check("currency ~ '^[A-Z]{3}$'", "orders_currency")])

    class Meta:
        """Peewee's options."""

        table_name = "orders"

    @classmethod
    def place(cls, *, buyer: User | None, by: Actor, **wanted: Unpack[Wanted]) -> Any:
        """Order a live product at its price of this moment, copied by the statement that makes the order.

        It is answered as a row. Raises NotFound for a product that the buyer may not know of, NotForSale for
        one's own draft, and PriceChanged when the buyer named an amount that is not the price.
        """
        while not (placed := _placed(**wanted, actor=by.name, request_id=by.request_id)):
            cls.refuse(wanted, buyer=buyer)
        metrics.counted().order_steps.labels(status=placed[0].status).inc()
        return placed[0]

    @classmethod
    def offer(
        cls, *, product_id: int, email: str, name: str | None, amount: int | None
    ) -> "tuple[peewee.ModelSelect[Product], list[peewee.Field]]":
        """The order that a product can become at this moment, and its columns; no row where it cannot."""
        columns: dict[peewee.Field, Any] = {
            cls.id: fn.gen_random_uuid(),
            cls.product: Product.id,
            cls.seller: Product.user,
            cls.product_name: Product.name,
            cls.email: Value(email),
            cls.name: Value(name),
            cls.status: peewee.Case(None, [(Product.price == 0, "paid")], "created"),
            cls.amount: Product.price,
            cls.currency: Product.currency,
        }
        on_sale = (Product.id == product_id) & (Product.status == LIVE)
        offer = Product.select(*columns.values()).join(User).where(on_sale)
        if amount is not None:
            offer = offer.where(Product.price == amount)
        # Wait for a concurrent DELETE of the product to commit or roll back. The seller's row is locked
        # first, as in `accounts.erase`, so the two cannot deadlock.
        return offer.for_update("FOR KEY SHARE", of=(User, Product)), [*columns]  # type: ignore[arg-type]

    @classmethod
    def refuse(cls, wanted: Wanted, *, buyer: User | None) -> None:
        """Raise why a buyer gets no order of a product, unless it came to be on offer a moment ago."""
        product = Product.shown(wanted["product_id"], viewer=buyer)
        if product is None:
            raise NotFound
        if product.status == DRAFT:
            raise NotForSale
        if wanted["amount"] not in (None, product.price):
            raise PriceChanged(price=product.price, currency=product.currency)

    @classmethod
    def with_product(cls) -> "peewee.ModelSelect[Order]":
        """Orders, each with its product loaded, or None where the product is gone."""
        return cls.select(cls, Product).join(Product, peewee.JOIN.LEFT_OUTER)

    @classmethod
    def open_of(cls, seller_id: int) -> "peewee.ModelSelect[Order]":
        """A seller's orders that still wait for money or for a refusal, oldest first."""
        still = (cls.seller == seller_id) & cls.status.in_(("created", "processing"))
        return cls.select().where(still).order_by(cls.created_at, cls.id)

    @classmethod
    def by_email(cls, email: str) -> "peewee.ModelSelect[Order]":
        """A buyer's orders with their products, newest first."""
        theirs = fn.lower(cls.email) == fn.lower(email)
        return cls.with_product().where(theirs).order_by(cls.created_at.desc(), cls.id.desc())

    @classmethod
    def moment(cls) -> Any:
        """`created_at` as a UTC timestamp without a zone, which the shop-wide indexes are on.

        A shop-wide index on `created_at` itself would be chosen for one seller's page, and scan the whole
        shop when that seller's orders are old.
        """
        return fn.timezone("UTC", cls.created_at)

    @classmethod
    def known_as(cls, reference: str) -> peewee.Expression:
        """The condition for an order's id, or for the id that the old system gave it."""
        return cls.id == reference if CANONICAL.fullmatch(reference) else cls.old_id == reference

    @classmethod
    def id_of(cls, reference: str) -> UUID | None:
        """The id that a reference means: itself, or that of the order that had it in the old system."""
        if CANONICAL.fullmatch(reference):
            return UUID(reference)
        order: Order | None = cls.select(cls.id).where(cls.known_as(reference)).first()
        return order.id if order else None

    @classmethod
    def open_to(cls, seller: User | None, reference: str) -> peewee.Expression:
        """The condition for an order that its seller may see; NotFound for someone who is not signed in."""
        if seller is None:
            raise NotFound
        return cls.known_as(reference) & (cls.seller == seller.id)  # type: ignore[no-any-return]

    @classmethod
    def of_seller(
        cls,
        seller: User,
        *,
        emails: Sequence[str] = (),
        status: str | None = None,
        product_id: int | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> "peewee.ModelSelect[Order]":
        """A seller's orders with their products, newest first, of a buyer with any of these addresses.

        The times are exclusive, and `created_after` to the millisecond, which is all that a client is shown.
        """
        conditions: list[Any] = [cls.seller == seller.id]
        if emails:
            conditions.append(fn.lower(cls.email).in_([fn.lower(email) for email in emails]))
        if status is not None:
            conditions.append(cls.status == status)
        if product_id is not None:
            conditions.append(cls.product == product_id)
        if created_after is not None:
            shown = created_after.replace(microsecond=created_after.microsecond // 1000 * 1000)
            # PostgreSQL adds, since Python has no year 10,000.
            conditions.append(cls.created_at >= Value(shown) + SQL("INTERVAL '1 ms'"))
        if created_before is not None:
            conditions.append(cls.created_at < created_before)
        return cls.with_product().where(*conditions).order_by(cls.created_at.desc(), cls.id.desc())

    @classmethod
    def move(cls, which: peewee.Expression, *, to: str, by: Actor) -> "Order":
        """Take a step with the order that a condition finds, decided by the row at the moment of writing.

        The status that the order already has is no step and changes nothing. Raises NotFound where there is
        no such order, and InvalidTransition, with what the actor may do, for a step that is not theirs.
        """
        sources = [status for status, targets in by.steps.items() if to in targets]
        while True:
            moved = cls.written(cls.update(status=to).where(which & cls.status.in_(sources)), *by.told())
            if moved:
                metrics.counted().order_steps.labels(status=to).inc()
                return moved[0]
            # The lock makes this a writing transaction, so its commit waits for the synchronous standby too:
            # nobody is told of a step, taken by another, that a failover could still lose.
            found = cls.select().where(which).for_update("FOR KEY SHARE")  # type: ignore[arg-type]
            order: Order | None = found.first()
            if order is None:
                raise NotFound
            if order.status == to:
                return order
            allowed = by.steps.get(order.status, ())
            if to not in allowed:
                raise InvalidTransition(allowed=list(allowed))
            # A concurrent step between the two statements has made this one legal: try again.

    @classmethod
    def erase_buyer(cls, *emails: str) -> int:
        """Blank the name and the address, in these spellings, of a buyer in all orders; how many orders."""
        theirs = fn.lower(cls.email).in_([fn.lower(email) for email in emails])
        return int(cls.update(email="", name=None).where(theirs).execute())


@statement(prepared=True)
def _placed(*, actor: Any, request_id: Any, **wanted: Any) -> Any:
    place = Order.insert_from(*Order.offer(**wanted))
    return place.returning(Order, *Actor(actor, request_id).told())


NEWEST = (Order.created_at.desc(), Order.id.desc())
Order.add_index(Order.seller, *NEWEST, name="orders_of_seller")
Order.add_index(Order.seller, Order.status, *NEWEST, name="orders_of_seller_by_status")
Order.add_index(Order.product, *NEWEST, name="orders_of_product")
Order.add_index(fn.lower(Order.email), *NEWEST, name="orders_of_email")
# Of the whole shop, for `Order.moment`.
Order.add_index(
    SQL("CREATE INDEX orders_of_status ON orders (status, timezone('UTC', created_at) DESC, id DESC)")
)
# This one holds all that a sum needs, so that no row of the table is read; Peewee knows no INCLUDE.
Order.add_index(
    SQL(
        "CREATE INDEX orders_by_time ON orders (timezone('UTC', created_at) DESC, id DESC)"
        " INCLUDE (created_at, status, currency, amount)"
    )
)
