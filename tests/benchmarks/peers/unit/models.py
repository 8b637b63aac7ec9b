"""The tables, as Peewee's models."""

import os
from uuid import uuid4

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    DateTimeField,
    ForeignKeyField,
    Model,
    TextField,
    UUIDField,
)
from playhouse.db_url import parse
from playhouse.pool import PooledPostgresqlDatabase

database = PooledPostgresqlDatabase(
    **parse(os.environ["DATABASE_URL"]), max_connections=int(os.environ.get("POOL_SIZE", "4"))
)


class Time(DateTimeField):
    """A time with its zone."""

    field_type = "TIMESTAMPTZ"


class Base(Model):
    """What all tables share."""

    created_at = Time(constraints=[SQL("DEFAULT now()")])
    updated_at = Time(constraints=[SQL("DEFAULT now()")])

    class Meta:
        """Peewee's options."""

        database = database


class User(Base):
    """An account."""

    id = BigAutoField()
    email = TextField()
    password = TextField()
    role = TextField()

    class Meta:
        """Peewee's options."""

        table_name = "users"


class Product(Base):
    """Something that a seller offers."""

    id = BigAutoField()
    user = ForeignKeyField(User)
    name = TextField()
    description = TextField()
    price = BigIntegerField()
    currency = TextField()
    status = TextField()

    class Meta:
        """Peewee's options."""

        table_name = "products"


class Order(Base):
    """One buyer's order of one product."""

    id = UUIDField(primary_key=True, default=uuid4)
    seller = ForeignKeyField(User, null=True)
    product = ForeignKeyField(Product, null=True)
    product_name = TextField()
    email = TextField()
    name = TextField(null=True)
    status = TextField()
    amount = BigIntegerField()
    currency = TextField()

    class Meta:
        """Peewee's options."""

        table_name = "orders"


class OrderEvent(Model):
    """Something that happened to an order."""

    id = BigAutoField()
    order = ForeignKeyField(Order)
    at = Time()
    source = TextField(null=True, column_name="from")
    target = TextField(column_name="to")
    actor = TextField()
    request_id = TextField(null=True)

    class Meta:
        """Peewee's options."""

        database = database
        table_name = "order_events"


class IdempotencyKey(Model):
    """A key, and the order that was made under it."""

    hash = TextField(primary_key=True)
    body = TextField()
    order = ForeignKeyField(Order)
    product_id = BigIntegerField()
    status = TextField()

    class Meta:
        """Peewee's options."""

        database = database
        table_name = "idempotency_keys"


class Session(Base):
    """A sign-in."""

    id = UUIDField(primary_key=True, default=uuid4)
    user = ForeignKeyField(User)
    user_agent = TextField()
    address = TextField()
    ended_at = Time(null=True)

    class Meta:
        """Peewee's options."""

        table_name = "sessions"


class RefreshToken(Base):
    """What is kept of a refresh token."""

    hash = TextField(primary_key=True)
    session = ForeignKeyField(Session)

    class Meta:
        """Peewee's options."""

        table_name = "refresh_tokens"
