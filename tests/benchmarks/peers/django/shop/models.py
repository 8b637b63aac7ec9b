"""The tables, which migrations of others make."""

from uuid import uuid4

from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

# Of addresses, as they are indexed.
models.TextField.register_lookup(Lower)


class Timed(models.Model):
    """A row with its times."""

    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Django's options."""

        abstract = True


class User(Timed):
    """An account."""

    id = models.BigAutoField(primary_key=True)
    email = models.TextField()
    password = models.TextField()
    role = models.TextField(default="seller")
    #: What Django REST framework asks of whoever an authentication finds.
    is_authenticated = True

    class Meta:
        """Django's options."""

        managed = False
        db_table = "users"


class Product(Timed):
    """Something that a seller offers."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, models.CASCADE)
    name = models.TextField()
    description = models.TextField(default="")
    price = models.BigIntegerField()
    currency = models.TextField()
    status = models.TextField(default="live")

    class Meta:
        """Django's options."""

        managed = False
        db_table = "products"


class Order(Timed):
    """One buyer's order of one product."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    seller = models.ForeignKey(User, models.SET_NULL, null=True)
    product = models.ForeignKey(Product, models.SET_NULL, null=True)
    product_name = models.TextField()
    email = models.TextField()
    name = models.TextField(null=True)  # Absent is not empty.
    status = models.TextField(default="created")
    amount = models.BigIntegerField()
    currency = models.TextField()

    class Meta:
        """Django's options."""

        managed = False
        db_table = "orders"


class OrderEvent(models.Model):
    """Something that happened to an order."""

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(Order, models.CASCADE, related_name="events")
    at = models.DateTimeField()
    source = models.TextField(null=True, db_column="from")
    target = models.TextField(db_column="to")
    actor = models.TextField()
    request_id = models.TextField(null=True)

    class Meta:
        """Django's options."""

        managed = False
        db_table = "order_events"


class IdempotencyKey(models.Model):
    """A key, and the order that was made under it."""

    hash = models.TextField(primary_key=True)
    body = models.TextField()
    order = models.OneToOneField(Order, models.CASCADE)
    product_id = models.BigIntegerField()
    status = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Django's options."""

        managed = False
        db_table = "idempotency_keys"


class Session(Timed):
    """A sign-in."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    user = models.ForeignKey(User, models.CASCADE)
    user_agent = models.TextField()
    address = models.TextField()
    refreshed_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Django's options."""

        managed = False
        db_table = "sessions"


class RefreshToken(Timed):
    """What is kept of a refresh token."""

    hash = models.TextField(primary_key=True)
    session = models.ForeignKey(Session, models.CASCADE, related_name="refresh_tokens")
    spent_at = models.DateTimeField(null=True)

    class Meta:
        """Django's options."""

        managed = False
        db_table = "refresh_tokens"
