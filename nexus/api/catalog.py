"""Products over HTTP."""

from collections.abc import Callable
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any

from flask import Blueprint, Response, current_app

from nexus.api.endpoint import endpoint, reply
from nexus.api.links import link_next
from nexus.api.versions import expected_versions, versioned
from nexus.errors import (
    Forbidden,
    MissingFields,
    NotFound,
    PreconditionFailed,
    UserIdRequired,
    ValidationFailed,
)
from nexus.models.catalog import SORTS, Product
from nexus.models.search import PLACE, Search, SearchText
from nexus.models.users import User
from nexus.paging import digest_of, pages
from nexus.schemas.catalog import (
    NewProduct,
    ProductAnswer,
    ProductChange,
    ProductPage,
    ProductQuery,
    product_out,
)

catalog = Blueprint("catalog", __name__, url_prefix="/products")

#: For sellers' lists, for which many visitors ask. Searches could fill the memory, and other lists are bound
#: to buyers' addresses.
public_digest = lru_cache(1024)(digest_of)


def _missing_as(error: type[ValidationFailed], *fields: str) -> Callable[[Any], ValidationFailed]:
    """Make a function that reports the input's problems: as `error` if one of these fields is missing."""

    def report(found: list[dict[str, Any]]) -> ValidationFailed:
        missing = {problem["field"] for problem in found if problem["code"] == "required"}
        return error(found) if missing.intersection(fields) else ValidationFailed(found)

    return report


@catalog.get("")
@endpoint(
    query=ProductQuery,
    sign_in="optional",
    answer=ProductPage,
    errors=(UserIdRequired,),
    headers=("Link",),
    invalid=_missing_as(UserIdRequired, "userId"),
)
def list_products(query: ProductQuery, user: User | None) -> Response:
    """List one seller's products, or the products that a search finds."""
    prices = {"min_price": query.min_price, "max_price": query.max_price}
    seen: dict[str, Any] = {"viewer_id": user.id if user else None, **prices}
    sort = SORTS[by := query.sort or "-createdAt"]
    bound_to = ("products", query.user_id, query.q, query.sort, prices)
    digest = digest_of if query.q else public_digest
    paged = partial(pages, limit=query.limit, cursor=query.cursor, bound_to=bound_to, digest=digest)
    if query.q:
        search = Search(SearchText.parse(query.q), query.user_id, seen)
        if query.sort is None:
            best = paged(search.best_first, place=attrgetter("place"), kinds=PLACE)
            return _list([match.product for match in best.rows], best.next_cursor)
        read = partial(search.in_order, by)
    else:
        # Only a search can do without a seller.
        read = partial(Product.listed, by, user_id=query.user_id, **seen)
    found = paged(read, place=sort.place, kinds=(sort.kind, int))
    return _list(found.rows, found.next_cursor)


def _list(products: list[Any], cursor: str | None) -> Response:
    answer: ProductPage = {"products": [product_out(product) for product in products], "nextCursor": cursor}
    return link_next(reply(answer), cursor)


@catalog.get("/<id:product_id>")
@endpoint(
    sign_in="optional",
    answer=ProductAnswer,
    errors=(NotFound,),
    headers=("ETag",),
    takes=("If-None-Match",),
)
def get_product(product_id: int, user: User | None) -> Response:
    """Return one product."""
    product = Product.shown(product_id, viewer=user)
    if product is None:
        raise NotFound
    answer: ProductAnswer = {"product": product_out(product)}
    return versioned(reply(answer), product)


@catalog.post("")
@endpoint(
    body=NewProduct,
    sign_in="required",
    answer=ProductAnswer,
    status=201,
    errors=(MissingFields, Forbidden),
    headers=("Location", "ETag"),
    invalid=_missing_as(MissingFields, "name", "price"),
)
def create_product(body: NewProduct, user: User) -> Response:
    """Create a product."""
    if body.user_id not in (None, user.id):
        raise Forbidden
    fields = body.model_dump(exclude={"user_id"})
    product = Product.offer(user, currency=current_app.config["CURRENCY"], **fields)
    answer: ProductAnswer = {"product": product_out(product)}
    response = reply(answer, 201)
    response.headers["Location"] = f"/api/products/{product.id}"
    return versioned(response, product)


@catalog.patch("/<id:product_id>")
@endpoint(
    body=ProductChange,
    sign_in="required",
    answer=ProductAnswer,
    errors=(Forbidden, NotFound, PreconditionFailed),
    headers=("ETag",),
    takes=("If-Match",),
)
def change_product(product_id: int, body: ProductChange, user: User) -> Response:
    """Change a product of the signed-in seller."""
    fields = body.model_dump(exclude_unset=True)
    product = Product.change(product_id, owner=user, versions=expected_versions(product_id), **fields)
    answer: ProductAnswer = {"product": product_out(product)}
    return versioned(reply(answer), product)


@catalog.delete("/<id:product_id>")
@endpoint(
    sign_in="required",
    status=204,
    errors=(Forbidden, NotFound, PreconditionFailed),
    takes=("If-Match",),
)
def delete_product(product_id: int, user: User) -> None:
    """Delete a product of the signed-in seller; its orders stay."""
    Product.withdraw(product_id, owner=user, versions=expected_versions(product_id))
