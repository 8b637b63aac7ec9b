"""Orders on the wire."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from nexus.schemas.catalog import ProductOut, product_out
from nexus.schemas.fields import (
    CURSOR,
    EMAIL_LENGTH,
    AnyMoney,
    Email,
    Id,
    Input,
    Limit,
    Moment,
    Text,
    Time,
    rfc3339,
    spellings,
)

if TYPE_CHECKING:
    # Representations are for the client too, which has no database.
    from nexus.models.events import OrderEvent
    from nexus.models.orders import Order

Status = Literal["created", "processing", "paid", "refunded", "cancelled"]
BuyerName = Annotated[Text, Field(max_length=255)]


class NewOrder(Input):
    """An order of one product; `amount`, where sent, must be the price."""

    product_id: Id
    email: Email
    name: BuyerName | None = None
    amount: AnyMoney | None = None


class OrderStep(Input):
    """Where an order shall go."""

    status: Status


class OrderFilter(Input):
    """Which of one's orders; the times are exclusive."""

    email: Annotated[Text, Field(max_length=EMAIL_LENGTH)] | None = Field(
        None, description="The buyer's address, in any spelling of it."
    )
    status: Status | None = Field(None, description="Where they are.")
    product_id: Id | None = Field(None, description="Of which product.")
    created_after: Time | None = Field(None, description="Made after this time.")
    created_before: Time | None = Field(None, description="Made before this time.")

    def conditions(self) -> dict[str, Any]:
        """What was asked for, as `Order.of_seller` takes it."""
        asked = self.model_dump(include=OrderFilter.model_fields.keys() - {"email"})
        return asked | {"emails": spellings(self.email) if self.email is not None else ()}


class OrderQuery(OrderFilter):
    """Which page of them."""

    limit: Limit = Field(50, description="How many at most.")
    cursor: Text | None = Field(None, description=CURSOR)


class OrderOut(TypedDict):
    """An order; `amount` is in the currency's smallest unit."""

    id: str
    productId: int | None
    productName: str
    email: str
    name: str | None
    status: Status
    amount: int
    currency: str
    createdAt: Moment
    updatedAt: Moment


class ListedOrder(OrderOut):
    """An order together with its product, which is null where it was deleted."""

    product: ProductOut | None


class OrderAnswer(TypedDict):
    """One order."""

    order: OrderOut


class PlacedOrder(OrderAnswer):
    """A new order, and what its buyer shows to see it."""

    receiptToken: str


class ReceiptAnswer(TypedDict):
    """What the buyer of an order shows to see it."""

    receiptToken: str


class OrderWithProduct(TypedDict):
    """One order, and its product as it is now."""

    order: OrderOut
    product: ProductOut | None


#: `from` is a word of Python.
EventOut = TypedDict(
    "EventOut",
    {"at": Moment, "from": Status | None, "to": Status, "actor": str, "requestId": str | None},
)


class OrderEvents(TypedDict):
    """What happened to an order, its creation first."""

    events: list[EventOut]


class OrderPage(TypedDict):
    """One page of orders; `nextCursor` is null on the last."""

    orders: list[ListedOrder]
    nextCursor: str | None


def order_out(order: "Order") -> OrderOut:
    """Represent an order."""
    return {
        "id": str(order.id),
        "productId": order.product_id,
        "productName": order.product_name,
        "email": order.email,
        "name": order.name,
        "status": order.status,  # type: ignore[typeddict-item]  # A CHECK holds it to these.
        "amount": order.amount,
        "currency": order.currency,
        "createdAt": rfc3339(order.created_at),
        "updatedAt": rfc3339(order.updated_at),
    }


def event_out(event: "OrderEvent") -> EventOut:
    """Represent an event of an order."""
    return {
        "at": rfc3339(event.at),
        "from": event.source,  # type: ignore[typeddict-item]  # A trigger copies an order's status.
        "to": event.target,  # type: ignore[typeddict-item]
        "actor": event.actor,
        "requestId": event.request_id,
    }


def product_of(order: "Order") -> ProductOut | None:
    """Represent an order's loaded product."""
    return product_out(order.product) if order.product else None


def listed_order(order: "Order") -> ListedOrder:
    """Represent an order in a list."""
    return {**order_out(order), "product": product_of(order)}
