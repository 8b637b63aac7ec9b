"""The tables."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, DateTime, ForeignKey, Text, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """What all tables share."""

    type_annotation_map = {int: BigInteger, str: Text, datetime: DateTime(timezone=True)}  # noqa: RUF012


class Timed:
    """A row with its times."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class User(Timed, Base):
    """An account."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    password: Mapped[str]
    role: Mapped[str] = mapped_column(server_default="seller")


class Product(Timed, Base):
    """Something that a seller offers."""

    __tablename__ = "products"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str]
    description: Mapped[str]
    price: Mapped[int]
    currency: Mapped[str]
    status: Mapped[str]


class Order(Timed, Base):
    """One buyer's order of one product."""

    __tablename__ = "orders"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    seller_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    product_id: Mapped[int | None] = mapped_column(ForeignKey("products.id"))
    product_name: Mapped[str]
    email: Mapped[str]
    name: Mapped[str | None]
    status: Mapped[str]
    amount: Mapped[int]
    currency: Mapped[str]
    events: Mapped[list["OrderEvent"]] = relationship()


class OrderEvent(Base):
    """Something that happened to an order."""

    __tablename__ = "order_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    at: Mapped[datetime] = mapped_column(default=func.now())
    source: Mapped[str | None] = mapped_column("from")
    target: Mapped[str] = mapped_column("to")
    actor: Mapped[str]
    request_id: Mapped[str | None]


class IdempotencyKey(Base):
    """A key, and the order that was made under it."""

    __tablename__ = "idempotency_keys"

    hash: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[str]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    product_id: Mapped[int]
    status: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    order: Mapped[Order] = relationship()


class Session(Timed, Base):
    """A sign-in."""

    __tablename__ = "sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    user_agent: Mapped[str]
    address: Mapped[str]
    ended_at: Mapped[datetime | None]
    user: Mapped[User] = relationship()
    refresh_tokens: Mapped[list["RefreshToken"]] = relationship()


class RefreshToken(Timed, Base):
    """What is kept of a refresh token."""

    __tablename__ = "refresh_tokens"

    hash: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("sessions.id"))
