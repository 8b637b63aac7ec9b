"""Orders: input and output of the API."""

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
    # nexus.client uses these schemas too, and has no database.
    from nexus.models.events import OrderEvent
    from nexus.models.orders import Order

Status = Literal["created", "processing", "paid", "refunded", "cancelled"]
BuyerName = Annotated[Text, Field(max_length=255)]


class NewOrder(Input):
    """An order of one product; `amount`, if sent, must equal the price."""

    product_id: Id
    email: Email
    name: BuyerName | None = None
    amount: AnyMoney | None = None


class OrderStep(Input):
    """The status to which an order is moved."""

    status: Status


class OrderFilter(Input):
    """Which of the seller's orders; the times are exclusive."""

    email: Annotated[Text, Field(max_length=EMAIL_LENGTH)] | None = Field(
        None, description="The buyer's e-mail address, in any equivalent spelling."
    )
    status: Status | None = Field(None, description="The status of the orders.")
    product_id: Id | None = Field(None, description="The product that was ordered.")
    created_after: Time | None = Field(None, description="Created after this time.")
    created_before: Time | None = Field(None, description="Created before this time.")

    def conditions(self) -> dict[str, Any]:
        """The filters as keyword arguments of `Order.of_seller`."""
        asked = self.model_dump(include=OrderFilter.model_fields.keys() - {"email"})
        return asked | {"emails": spellings(self.email) if self.email is not None else ()}


class OrderQuery(OrderFilter):
    """Which orders, and which page of them."""

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
    """An order with its product, which is null if it was deleted."""

    product: ProductOut | None


class OrderAnswer(TypedDict):
    """One order."""

    order: OrderOut


class ReceiptAnswer(TypedDict):
    """The receipt with which the buyer of an order can see it."""

    receiptToken: str


class PlacedOrder(OrderAnswer, ReceiptAnswer):
    """A new order, and the receipt with which its buyer can see it."""


class OrderWithProduct(TypedDict):
    """One order, with its product as it is now."""

    order: OrderOut
    product: ProductOut | None


#: In functional syntax, since `from` is a keyword.
EventOut = TypedDict(
    "EventOut",
    {"at": Moment, "from": Status | None, "to": Status, "actor": str, "requestId": str | None},
)


class OrderEvents(TypedDict):
    """The events of an order, its creation first."""

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
