"""Products: input and output of the API."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator
from typing_extensions import TypedDict

from nexus.schemas.fields import CURSOR, AnyMoney, Id, Input, Limit, Moment, Money, Text, rfc3339

if TYPE_CHECKING:
    # nexus.client uses these schemas too, and has no database.
    from nexus.models.catalog import Product

Name = Annotated[Text, Field(min_length=1, max_length=255)]
Description = Annotated[Text, Field(max_length=20_000)]
ProductStatus = Literal["live", "draft"]
ProductSort = Literal["-createdAt", "createdAt", "price", "-price", "name", "-name"]


class NewProduct(Input):
    """A new product; `userId`, which old clients send, must be the caller's own."""

    name: Name
    price: Money
    description: Description = ""
    status: ProductStatus = "live"
    user_id: Id | None = None


class ProductChange(Input):
    """Changes to a product; fields that are left out stay as they are."""

    name: Name | None = None
    price: Money | None = None
    description: Description | None = None
    status: ProductStatus | None = None


class ProductQuery(Input):
    """Which products to list, one seller's or a search's matches, and which page of them."""

    user_id: Id | None = Field(description="The seller; required unless `q` is given.")
    q: Text | None = Field(None, description="Words to search for in names and descriptions.")
    min_price: AnyMoney | None = Field(None, description="The lowest price, inclusive.")
    max_price: AnyMoney | None = Field(None, description="The highest price, inclusive.")
    sort: ProductSort | None = Field(
        None, description="Descending with a minus; by default newest first, or by relevance for a search."
    )
    limit: Limit = Field(200, description="How many at most; the default is 50 for a search.")
    cursor: Text | None = Field(None, description=CURSOR)

    @model_validator(mode="before")
    @classmethod
    def _search(cls, given: dict[str, Any]) -> dict[str, Any]:
        """A search needs no seller and has smaller pages; a blank `q` is ignored."""
        if given.get("q", "").strip():
            return {"userId": None, "limit": 50, **given}
        return {name: value for name, value in given.items() if name != "q"}


class ProductOut(TypedDict):
    """A product; `price` is in the currency's smallest unit."""

    id: int
    userId: int
    name: str
    description: str
    price: int
    currency: str
    status: ProductStatus
    createdAt: Moment
    updatedAt: Moment


class ProductAnswer(TypedDict):
    """One product."""

    product: ProductOut


class ProductPage(TypedDict):
    """One page of products; `nextCursor` is null on the last."""

    products: list[ProductOut]
    nextCursor: str | None


def product_out(product: "Product") -> ProductOut:
    """Represent a product."""
    created = rfc3339(product.created_at)
    # Most products were never changed, and formatting a time twice for each of 200 takes a while. In a row of
    # `Product.listed` they have no second time.
    unchanged = product.updated_at in (None, product.created_at)
    return {
        "id": product.id,
        "userId": product.user_id,
        "name": product.name,
        "description": product.description,
        "price": product.price,
        "currency": product.currency,
        "status": product.status,  # type: ignore[typeddict-item]  # A CHECK holds it to the two.
        "createdAt": created,
        "updatedAt": created if unchanged else rfc3339(product.updated_at),
    }
