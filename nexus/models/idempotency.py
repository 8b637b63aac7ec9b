"""Idempotency keys: an order that is asked for again under its key is answered again, and not made again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Unpack

import peewee
from peewee import SQL, Select, Value, fn
from psycopg2.errors import LockNotAvailable

from nexus import metrics
from nexus.db import database, statement
from nexus.db.outages import cause
from nexus.errors import IdempotencyInProgress, IdempotencyMismatch
from nexus.models.base import Model
from nexus.models.orders import Order, Wanted
from nexus.models.steps import Actor
from nexus.models.users import User

#: How long a key answers at least; the next sweep after it takes it.
KEPT_HOURS = 24
#: How long a request waits for another with its key.
PATIENCE = "2s"


class Key(NamedTuple):
    """A key and the body that came with it, each as its hash; the key's holds whose it is."""

    hash: str
    body: str


class IdempotencyKey(Model):
    """A key, its order, and the fields of the first answer that can change later.

    The rest of an order stays as it was made, so the answer is made from it again.
    """

    # It is written once.
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
        # Deferred, so that `_taken` can insert a made-up order id and roll back.
        deferrable="INITIALLY DEFERRED",
    )
    #: Not a reference: the product may go.
    product_id = peewee.BigIntegerField()
    status = peewee.TextField()

    class Meta:
        """Peewee's options."""

        table_name = "idempotency_keys"

    @classmethod
    def place(cls, key: Key, *, buyer: User | None, by: Actor, **wanted: Unpack[Wanted]) -> tuple[Any, bool]:
        """Order a product as `Order.place` does, once for each key; whether it was made before.

        Key and order are one statement. Raises what `Order.place` raises, which leaves the key free;
        IdempotencyMismatch for a key that came with another body; and IdempotencyInProgress when another
        request holds the key for longer than a moment.
        """
        while True:
            with patience():
                placed = _placed(**key._asdict(), **wanted, actor=by.name, request_id=by.request_id)
            if placed:
                metrics.counted().order_steps.labels(status=placed[0].status).inc()
                return placed[0], False
            # Not on offer, or the key is held. Without an offer nothing was claimed, but a concurrent request
            # may have found one and hold the key.
            made = cls._made_by(key) or (cls._taken(key) and cls._made_by(key))
            if made:
                return made, True
            Order.refuse(wanted, buyer=buyer)

    @classmethod
    def claim(cls, key: Key, offered: Any) -> Any:
        """The INSERT of a key for an order on offer; it waits for one in progress, and skips a taken key."""
        # The limit is set when the offer's own locks are there, for this transaction alone.
        limited = fn.set_config("lock_timeout", PATIENCE, SQL("true")).is_null(is_null=False)
        values = (Value(key.hash), Value(key.body), offered.c.id, offered.c.product_id, offered.c.status)
        columns = [cls.hash, cls.body, cls.order, cls.product_id, cls.status]
        return cls.insert_from(Select((offered,), values).where(limited), columns).on_conflict_ignore()

    @classmethod
    def _made_by(cls, key: Key) -> Order | None:
        """The order that was made with a key, as it was then."""
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
        """Whether a key is taken, once whoever is taking it now is through."""
        nothing = Select(columns=(fn.gen_random_uuid().alias("id"), Value(0), Value("")))
        offered = nothing.cte("offered", columns=["id", "product_id", "status"])
        with patience(), database.atomic() as attempt:
            taken = not cls.written(cls.claim(key, offered).with_cte(offered))
            attempt.rollback()
        return taken

    @classmethod
    def sweep(cls, *, batch: int) -> int:
        """Delete up to so many keys that were kept long enough; how many."""
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
    return place.returning(Order, *Actor(actor, request_id).told())


@contextmanager
def patience() -> Iterator[None]:
    """Tell a key that was not to be had in time as IdempotencyInProgress."""
    try:
        yield
    except peewee.OperationalError as error:
        refused = cause(error)
        # It may have waited for a row of the offer as well, and PostgreSQL says in which table.
        table = IdempotencyKey._meta.table_name
        if isinstance(refused, LockNotAvailable) and table in (refused.diag.context or ""):
            raise IdempotencyInProgress from None
        raise


IdempotencyKey.add_index(IdempotencyKey.created_at, name="idempotency_keys_by_time")
