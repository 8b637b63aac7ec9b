"""What goes over the wire."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, EmailStr, Field, PlainSerializer
from pydantic.alias_generators import to_camel


def rfc3339(moment: datetime) -> str:
    """A time in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]


class Input(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class Output(BaseModel):
    """What a client gets."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, from_attributes=True)


class ProductQuery(Input):
    """Which products."""

    user_id: int | None = Field(None, ge=1, le=2**63 - 1)
    q: str | None = None
    limit: int = Field(200, ge=1, le=200)
    cursor: str | None = None


class NewOrder(Input):
    """An order to place."""

    product_id: int = Field(ge=1, le=2**63 - 1)
    email: EmailStr
    name: str | None = Field(None, max_length=255)


class SignIn(Input):
    """What proves who someone is."""

    email: str = Field(max_length=1024)
    password: str = Field(max_length=1024)


class ProductOut(Output):
    """A product."""

    id: int
    user_id: int
    name: str
    description: str
    price: int
    currency: str
    status: str
    created_at: Moment
    updated_at: Moment


class ProductAnswer(Output):
    """One product."""

    product: ProductOut


class ProductPage(Output):
    """One page of products."""

    products: list[ProductOut]
    next_cursor: str | None


class OrderOut(Output):
    """An order."""

    id: UUID
    product_id: int | None
    product_name: str
    email: str
    name: str | None
    status: str
    amount: int
    currency: str
    created_at: Moment
    updated_at: Moment


class PlacedOrder(Output):
    """A new order, and what its buyer shows to see it."""

    order: OrderOut
    receipt_token: str


class UserOut(Output):
    """An account."""

    id: int
    email: str
    role: str
    created_at: Moment


class UserAnswer(Output):
    """The signed-in account."""

    user: UserOut


class SessionAnswer(Output):
    """A sign-in."""

    success: bool
    token: str
    refresh_token: str
    expires_in: int
    user: UserOut
