"""What goes over the wire."""

from datetime import UTC, datetime
from typing import Annotated, Any

from models import Order, Product, User
from playhouse.shortcuts import model_to_dict
from pydantic import BaseModel, ConfigDict, EmailStr, Field
from pydantic.alias_generators import to_camel

#: What has another name in JSON than here.
NAMES = {"created_at": "createdAt", "updated_at": "updatedAt", "product_name": "productName"}
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]


class Input(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class ProductQuery(Input):
    """Which products."""

    user_id: Id | None = None
    q: str | None = None
    limit: int = Field(200, ge=1, le=200)
    cursor: str | None = None


class NewOrder(Input):
    """An order to place."""

    product_id: Id
    email: EmailStr
    name: str | None = Field(None, max_length=255)


class SignIn(Input):
    """What proves who someone is."""

    email: str = Field(max_length=1024)
    password: str = Field(max_length=1024)


def rfc3339(moment: datetime) -> str:
    """A time in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def product_out(product: Product) -> dict[str, Any]:
    """A product."""
    return camel(model_to_dict(product, recurse=False), user="userId")


def order_out(order: Order) -> dict[str, Any]:
    """An order; its seller is nobody else's business."""
    values = model_to_dict(order, recurse=False, exclude=[Order.seller])
    return camel(values, product="productId")


def user_out(user: User) -> dict[str, Any]:
    """An account, as its owner sees it."""
    return camel(model_to_dict(user, only=[User.id, User.email, User.role, User.created_at]))


def camel(values: dict[str, Any], **names: str) -> dict[str, Any]:
    """The same under the names of JSON."""
    return {
        names.get(name) or NAMES.get(name, name): rfc3339(value) if isinstance(value, datetime) else value
        for name, value in values.items()
    }
