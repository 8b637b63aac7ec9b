"""Orders: how they are placed, how their status changes, and who may see them."""

import os
import re
import time
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

#: A UUID as we write it. Python and PostgreSQL accept other forms too, but we never issued any.
CANONICAL = re.compile("(?i:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


def new_id() -> str:
    """A UUID of version 7 (RFC 9562): its time in milliseconds, then 74 random bits.

    New orders are neighbours in every index that contains ids, where random ones would each touch a page of
    their own.
    """
    fields = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10))
    return f"{fields & ~(0xF << 76 | 0x3 << 62) | 0x7 << 76 | 0x2 << 62:032x}"


class Wanted(TypedDict):
    """What a buyer asks for; the amount, if given, must equal the price."""

    product_id: int
    email: str
    name: str | None
    amount: int | None


class Order(Model):
    """One buyer's order of one product, with the product's name and price at that moment."""

    triggers = (TOUCH, STEP, PLACED, MOVED)

    id = peewee.UUIDField(primary_key=True, constraints=[SQL("DEFAULT gen_random_uuid()")])
    #: Its id in the old system, if that was not a UUID.
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
        """Order a live product at its current price, which the INSERT itself copies; the order as a row.

        Raises NotFound for a product that the buyer may not see, NotForSale for the buyer's own draft, and
        PriceChanged if the buyer gave an amount that is not the price.
        """
        while not (placed := _placed(order_id=new_id(), **wanted, actor=by.name, request_id=by.request_id)):
            cls.refuse(wanted, buyer=buyer)
        metrics.moved(placed[0].status)
        return placed[0]

    @classmethod
    def offer(
        cls, *, order_id: str, product_id: int, email: str, name: str | None, amount: int | None
    ) -> "tuple[peewee.ModelSelect[Product], list[peewee.Field]]":
        """The query for the row of a new order, and its columns; no row if the product cannot be ordered."""
        columns: dict[peewee.Field, Any] = {
            cls.id: Value(order_id).cast("uuid"),
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
        """Raise the reason why a product cannot be ordered; return if, by now, it can."""
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
    def still_open(cls, seller_id: int) -> "peewee.ModelSelect[Order]":
        """A seller's orders that are still `created` or `processing`, oldest first."""
        still = (cls.seller == seller_id) & cls.status.in_(("created", "processing"))
        return cls.select().where(still).order_by(cls.created_at, cls.id)

    @classmethod
    def by_email(cls, email: str) -> "peewee.ModelSelect[Order]":
        """A buyer's orders with their products, newest first."""
        theirs = fn.lower(cls.email) == fn.lower(email)
        return cls.with_product().where(theirs).order_by(cls.created_at.desc(), cls.id.desc())

    @classmethod
    def moment(cls) -> Any:
        """`created_at` as a UTC timestamp without a zone, as the shop-wide indexes have it.

        PostgreSQL would use a shop-wide index on `created_at` itself for one seller's page too, and scan the
        whole shop when that seller's orders are old.
        """
        return fn.timezone("UTC", cls.created_at)

    @classmethod
    def known_as(cls, reference: str) -> peewee.Expression:
        """The condition for the order with this id, or with this id in the old system."""
        return cls.id == reference if CANONICAL.fullmatch(reference) else cls.old_id == reference

    @classmethod
    def id_of(cls, reference: str) -> UUID | None:
        """The id that a reference means: the reference itself, or that of the order with this old id."""
        if CANONICAL.fullmatch(reference):
            return UUID(reference)
        order: Order | None = cls.select(cls.id).where(cls.known_as(reference)).first()
        return order.id if order else None

    @classmethod
    def visible_to(cls, seller: User | None, reference: str) -> peewee.Expression:
        """The condition for an order, if this is its seller; NotFound for someone who is not signed in."""
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
        """A seller's orders with their products, newest first; `emails` are spellings of a buyer's address.

        The times are exclusive, `created_after` by whole milliseconds, since clients are shown no more.
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
            # PostgreSQL adds the millisecond, since Python has no year 10,000.
            conditions.append(cls.created_at >= Value(shown) + SQL("INTERVAL '1 ms'"))
        if created_before is not None:
            conditions.append(cls.created_at < created_before)
        return cls.with_product().where(*conditions).order_by(cls.created_at.desc(), cls.id.desc())

    @classmethod
    def move(cls, which: peewee.Expression, *, to: str, by: Actor) -> "Order":
        """Move the order that meets a condition to a status, as its row allows at the moment of writing.

        If the order already has that status, nothing changes. Raises NotFound if there is no such order, and
        InvalidTransition, with the allowed statuses, for a step that the actor may not take.
        """
        sources = [status for status, targets in by.steps.items() if to in targets]
        while True:
            moved = cls.written(cls.update(status=to).where(which & cls.status.in_(sources)), *by.context())
            if moved:
                metrics.moved(to)
                return moved[0]
            # The lock makes this a writing transaction, so its commit waits for the synchronous standby too:
            # we never report somebody else's step that a failover could still lose.
            found = cls.select().where(which).for_update("FOR KEY SHARE")  # type: ignore[arg-type]
            order: Order | None = found.first()
            if order is None:
                raise NotFound
            if order.status == to:
                return order
            allowed = by.steps.get(order.status, ())
            if to not in allowed:
                raise InvalidTransition(allowed=list(allowed))
            # A concurrent step between the two statements has made this one allowed: try again.

    @classmethod
    def erase_buyer(cls, *emails: str) -> int:
        """Blank a buyer's name and address, given in its spellings, in all orders; the number of orders."""
        theirs = fn.lower(cls.email).in_([fn.lower(email) for email in emails])
        return int(cls.update(email="", name=None).where(theirs).execute())


@statement(prepared=True)
def _placed(*, actor: Any, request_id: Any, **wanted: Any) -> Any:
    place = Order.insert_from(*Order.offer(**wanted))
    return place.returning(Order, *Actor(actor, request_id).context())


NEWEST = (Order.created_at.desc(), Order.id.desc())
Order.add_index(Order.seller, *NEWEST, name="orders_of_seller")
Order.add_index(Order.seller, Order.status, *NEWEST, name="orders_of_seller_by_status")
Order.add_index(Order.product, *NEWEST, name="orders_of_product")
Order.add_index(fn.lower(Order.email), *NEWEST, name="orders_of_email")
# Shop-wide indexes, for `Order.moment`.
Order.add_index(
    SQL("CREATE INDEX orders_of_status ON orders (status, timezone('UTC', created_at) DESC, id DESC)")
)
# A covering index for sums, which then read no row of the table; Peewee has no INCLUDE.
Order.add_index(
    SQL(
        "CREATE INDEX orders_by_time ON orders (timezone('UTC', created_at) DESC, id DESC)"
        " INCLUDE (created_at, status, currency, amount)"
    )
)
