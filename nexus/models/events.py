"""The events of an order, its creation and its status changes: written by triggers, changed by nobody."""

import peewee

from nexus.models.base import BigIdentityField, Model, TimeField
from nexus.models.orders import Order
from nexus.models.steps import KEEP, KEEP_ALL


class OrderEvent(Model):
    """An order's creation, with `from` null, or one of its status changes, and who made it."""

    triggers = (KEEP, KEEP_ALL)

    id = BigIdentityField()
    order = peewee.ForeignKeyField(Order, on_delete="CASCADE", index=False, lazy_load=False)
    at = TimeField()
    source = peewee.TextField(null=True, column_name="from")
    target = peewee.TextField(column_name="to")
    actor = peewee.TextField()
    request_id = peewee.TextField(null=True)
    # A row is written once, and `at` says when.
    created_at = None
    updated_at = None

    class Meta:
        """Peewee's options."""

        table_name = "order_events"

    @classmethod
    def of(cls, which: peewee.Expression) -> "peewee.ModelSelect[OrderEvent]":
        """The events, oldest first, of the order that meets a condition; none if there is no such order."""
        return cls.select(cls).join(Order).where(which).order_by(cls.id)


OrderEvent.add_index(OrderEvent.order, OrderEvent.id, name="order_events_of_order")
