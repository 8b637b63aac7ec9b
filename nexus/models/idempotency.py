"""Idempotency keys: a repeated request for an order gets the first response again, and no second order."""

from typing import Any, NamedTuple, Unpack

import peewee
from peewee import SQL, Select, Value, fn
from psycopg2.errors import LockNotAvailable

from nexus import metrics
from nexus.db import database, statement
from nexus.db.outages import cause
from nexus.errors import IdempotencyInProgress, IdempotencyMismatch
from nexus.models.base import Model
from nexus.models.orders import Order, Wanted, new_id
from nexus.models.steps import Actor
from nexus.models.users import User

#: How long a key is kept at least; the next sweep after that deletes it.
KEPT_HOURS = 24
#: How long a request waits for another one with the same key.
KEY_WAIT = "2s"


class Key(NamedTuple):
    """The hashes of a key, its owner included, and of the body that came with it."""

    hash: str
    body: str


class IdempotencyKey(Model):
    """A key, its order, and those fields of the first response that can change later.

    The order's other fields never change, so the response can be rebuilt from it.
    """

    # A row is written once.
    triggers = ()
    updated_at = None

    hash = peewee.TextField(primary_key=True)
    body = peewee.TextField()
    order = peewee.ForeignKeyField(
        Order,
        on_delete="CASCADE",
        index=False,
        lazy_load=False,
        constraints=[SQL("CONSTRAINT idempotency_keys_order UNIQUE")],
        # Deferred, so that `_taken` can insert the id of an order that does not exist, and roll back.
        deferrable="INITIALLY DEFERRED",
    )
    #: Not a foreign key: the product may be deleted.
    product_id = peewee.BigIntegerField()
    status = peewee.TextField()

    class Meta:
        """Peewee's options."""

        table_name = "idempotency_keys"

    @classmethod
    def place(cls, key: Key, *, buyer: User | None, by: Actor, **wanted: Unpack[Wanted]) -> tuple[Any, bool]:
        """Order a product as `Order.place` does, once per key; the order, and whether it existed already.

        One statement writes both. Raises what `Order.place` raises, which leaves the key unused;
        IdempotencyMismatch for a key that came with another body; and IdempotencyInProgress if another
        request holds the key for longer than KEY_WAIT.
        """
        while True:
            try:
                placed = _placed(
                    hash=key.hash,
                    body=key.body,
                    order_id=new_id(),
                    **wanted,
                    actor=by.name,
                    request_id=by.request_id,
                )
            except peewee.OperationalError as error:
                refuse_if_waited(error)
                raise
            if placed:
                metrics.moved(placed[0].status)
                return placed[0], False
            # The product is not for sale, or the key is taken. Even if it is not for sale to us, a concurrent
            # request may have found it for sale and hold the key.
            made = cls._made_by(key) or (cls._taken(key) and cls._made_by(key))
            if made:
                return made, True
            Order.refuse(wanted, buyer=buyer)

    @classmethod
    def claim(cls, key: Key, offered: Any) -> Any:
        """The INSERT of a key; it waits for a request in progress, and does nothing if the key is taken."""
        # The limit is set for this transaction only, and not before the offer's own locks have been taken.
        limited = fn.set_config("lock_timeout", KEY_WAIT, SQL("true")).is_null(is_null=False)
        values = (Value(key.hash), Value(key.body), offered.c.id, offered.c.product_id, offered.c.status)
        columns = [cls.hash, cls.body, cls.order, cls.product_id, cls.status]
        return cls.insert_from(Select((offered,), values).where(limited), columns).on_conflict_ignore()

    @classmethod
    def _made_by(cls, key: Key) -> Order | None:
        """The order that was made with a key, as it was at that time."""
        row = cls.select(cls, Order).join(Order).where(cls.hash == key.hash).first()
        if row is None:
            return None
        if row.body != key.body:
            raise IdempotencyMismatch
        order: Order = row.order
        order.product_id, order.status, order.updated_at = row.product_id, row.status, order.created_at
        return order

    @classmethod
    @database.rerun
    def _taken(cls, key: Key) -> bool:
        """Whether a key is taken, after waiting for a request that is just taking it."""
        nothing = Select(columns=(fn.gen_random_uuid().alias("id"), Value(0), Value("")))
        offered = nothing.cte("offered", columns=["id", "product_id", "status"])
        try:
            with database.atomic() as attempt:
                taken = not cls.written(cls.claim(key, offered).with_cte(offered))
                attempt.rollback()
        except peewee.OperationalError as error:
            refuse_if_waited(error)
            raise
        return taken

    @classmethod
    def sweep(cls, *, batch: int) -> int:
        """Delete up to `batch` keys that were kept long enough; the number deleted."""
        old = cls.created_at <= SQL("now() - make_interval(hours => %s)", (KEPT_HOURS,))
        return cls.swept(old, batch=batch)


@statement(prepared=True)
def _placed(*, hash: Any, body: Any, actor: Any, request_id: Any, **wanted: Any) -> Any:  # noqa: A002 - A key's.
    offer, columns = Order.offer(**wanted)
    names = [column.column_name for column in columns]
    offered = offer.cte("offered", columns=names)
    claimed = IdempotencyKey.claim(Key(hash, body), offered).returning(IdempotencyKey.order).cte("claimed")
    order = Select((offered,), [offered.c[name] for name in names])
    order = order.join(claimed, on=claimed.c.order_id == offered.c.id)
    place = Order.insert_from(order, columns).with_cte(offered, claimed)
    return place.returning(Order, *Actor(actor, request_id).context())


def refuse_if_waited(error: peewee.OperationalError) -> None:
    """Raise IdempotencyInProgress if the wait for a key timed out."""
    refused = cause(error)
    # The wait may also have been for a row of the offer; PostgreSQL's context names the table.
    table = IdempotencyKey._meta.table_name
    if isinstance(refused, LockNotAvailable) and table in (refused.diag.context or ""):
        raise IdempotencyInProgress from None


IdempotencyKey.add_index(IdempotencyKey.created_at, name="idempotency_keys_by_time")
