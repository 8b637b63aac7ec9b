"""Every call that a client can make: what it sends, and what it reads.

Arguments that are None are not sent. Results are the JSON itself, in the types of the service's responses.
"""

from collections.abc import Mapping
from datetime import date, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

from nexus.client.call import Call, Page, get, given, listing, nothing
from nexus.schemas.auth import SessionOut, UserOut
from nexus.schemas.catalog import ProductOut, ProductSort, ProductStatus
from nexus.schemas.orders import EventOut, ListedOrder, OrderOut, OrderWithProduct, PlacedOrder, Status

if TYPE_CHECKING:
    # This module needs the models.
    from nexus.schemas.stats import Interval, Stats


def register(*, email: str, password: str) -> Call[UserOut]:
    """Create an account and sign in to it; EmailTaken, ValidationFailed."""
    body = {"email": email, "password": password}
    return Call(method="POST", path="/api/auth/register", body=body, read=_user, session="begins")


def sign_in(*, email: str, password: str) -> Call[UserOut]:
    """Sign in, for this and the following calls; InvalidCredentials."""
    body = {"email": email, "password": password}
    return Call(method="POST", path="/api/auth/login", body=body, read=_user, session="begins")


def sign_out() -> Call[None]:
    """End the session, and forget its tokens."""
    return Call(method="POST", path="/api/auth/logout", read=nothing, session="ends")


def me() -> Call[UserOut]:
    """The account that is signed in; Unauthenticated."""
    return get("/api/auth/me", _user)


def sessions() -> Call[list[SessionOut]]:
    """The sessions of the account, newest first."""
    return get("/api/auth/sessions", _named("sessions"))


def end_session(session_id: str) -> Call[None]:
    """End one of the account's sessions; NotFound."""
    return Call(method="DELETE", path=f"/api/auth/sessions/{_segment(session_id)}", read=nothing)


def change_email(*, email: str, current_password: str) -> Call[UserOut]:
    """Change the account's e-mail address; EmailTaken, InvalidCredentials."""
    body = {"email": email, "currentPassword": current_password}
    return Call(method="PATCH", path="/api/auth/me", body=body, read=_user)


def change_password(*, current_password: str, new_password: str) -> Call[None]:
    """Change the password, which ends every other session; InvalidCredentials."""
    body = {"currentPassword": current_password, "newPassword": new_password}
    return Call(method="POST", path="/api/auth/password", body=body, read=nothing)


def reset_password(*, token: str, new_password: str) -> Call[None]:
    """Set a new password with the operator's token, which ends every session; InvalidResetToken."""
    body = {"token": token, "newPassword": new_password}
    return Call(method="POST", path="/api/auth/reset", body=body, read=nothing)


def delete_account(*, password: str) -> Call[None]:
    """Delete the account with its products, and forget its tokens; InvalidCredentials, OpenOrders."""
    body = {"password": password}
    return Call(method="DELETE", path="/api/auth/me", body=body, read=nothing, session="ends")


def product(product_id: int) -> Call[ProductOut]:
    """One product; NotFound."""
    return get(f"/api/products/{product_id:d}", _named("product"))


def products(
    *,
    user_id: int | None = None,
    q: str | None = None,
    min_price: int | None = None,
    max_price: int | None = None,
    sort: ProductSort | None = None,
    page_size: int | None = None,
) -> Call[Page[ProductOut]]:
    """The products of a seller, or the results of a search, page by page."""
    query = {
        "userId": user_id,
        "q": q,
        "minPrice": min_price,
        "maxPrice": max_price,
        "sort": sort,
        "limit": page_size,
    }
    return listing("/api/products", "products", given(query))


def add_product(
    *, name: str, price: int, description: str | None = None, status: ProductStatus | None = None
) -> Call[ProductOut]:
    """Add a product; ValidationFailed, Unauthenticated."""
    body = given({"name": name, "price": price, "description": description, "status": status})
    return Call(method="POST", path="/api/products", body=body, read=_named("product"))


def change_product(
    product_id: int,
    *,
    name: str | None = None,
    price: int | None = None,
    description: str | None = None,
    status: ProductStatus | None = None,
) -> Call[ProductOut]:
    """Change the given fields of one's own product; Forbidden, NotFound."""
    body = given({"name": name, "price": price, "description": description, "status": status})
    return Call(method="PATCH", path=f"/api/products/{product_id:d}", body=body, read=_named("product"))


def delete_product(product_id: int) -> Call[None]:
    """Delete one's own product; Forbidden, NotFound."""
    return Call(method="DELETE", path=f"/api/products/{product_id:d}", read=nothing)


def place_order(
    *,
    product_id: int,
    email: str,
    name: str | None = None,
    amount: int | None = None,
    key: str | None = None,
) -> Call[PlacedOrder]:
    """Order a product, once even if the call is repeated; NotFound, PriceChanged, NotForSale.

    Each call has a new idempotency key, unless `key` is given, which can outlive the program.
    """
    body = given({"productId": product_id, "email": email, "name": name, "amount": amount})
    headers = {"Idempotency-Key": key if key is not None else str(uuid4())}
    return Call(
        method="POST",
        path="/api/orders",
        body=body,
        headers=headers,
        read=_with("order", "receiptToken"),
        safe=True,
    )


def order(order_id: str, *, receipt: str | None = None) -> Call[OrderWithProduct]:
    """One order, for its seller, or for its buyer with a receipt; NotFound."""
    return get(_order(order_id), _with("order", "product"), headers=_authorization(receipt))


def orders(
    *,
    email: str | None = None,
    status: Status | None = None,
    product_id: int | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    page_size: int | None = None,
) -> Call[Page[ListedOrder]]:
    """The orders of one's own products, newest first, page by page; the times need a time zone."""
    query = {
        "email": email,
        "status": status,
        "productId": product_id,
        "createdAfter": created_after and created_after.isoformat(),
        "createdBefore": created_before and created_before.isoformat(),
        "limit": page_size,
    }
    return listing("/api/orders", "orders", given(query))


def order_events(order_id: str, *, receipt: str | None = None) -> Call[list[EventOut]]:
    """The events of an order, starting with its creation; NotFound."""
    return get(f"{_order(order_id)}/events", _named("events"), headers=_authorization(receipt))


def move_order(order_id: str, *, status: Status, receipt: str | None = None) -> Call[OrderOut]:
    """Move an order to a status; InvalidTransition, NotFound."""
    headers = _authorization(receipt)
    body = {"status": status}
    return Call(method="PATCH", path=_order(order_id), body=body, headers=headers, read=_named("order"))


def issue_receipt(order_id: str) -> Call[str]:
    """Issue a receipt for an order of one's own product, for a buyer who has none; NotFound."""
    return Call(method="POST", path=f"{_order(order_id)}/receipt", read=_named("receiptToken"))


def stats(
    *,
    since: date | None = None,
    to: date | None = None,
    interval: "Interval | None" = None,
    time_zone: str | None = None,
) -> "Call[Stats]":
    """Sales from one day to another, both included, by time, product and status; ValidationFailed."""
    query = {
        "from": since and since.isoformat(),
        "to": to and to.isoformat(),
        "interval": interval,
        "tz": time_zone,
    }
    return get("/api/stats", _with("intervals", "products"), query=given(query))


def _order(order_id: str) -> str:
    return f"/api/orders/{_segment(order_id)}"


def _segment(given: str) -> str:
    # httpx would resolve "." and ".." as in a relative path.
    return quote(given, safe="").replace(".", "%2E")


def _authorization(receipt: str | None) -> Mapping[str, str]:
    return {} if receipt is None else {"Authorization": f"Receipt {receipt}"}


def _user(answer: Any) -> UserOut:
    user: UserOut = answer["user"]
    return user


def _with(*names: str) -> Any:
    """Return the whole response, which must have these names."""
    has = itemgetter(*names)
    return lambda answer: has(answer) and answer


def _named(name: str) -> Any:
    """Return the value under a name in the response."""
    return lambda answer: answer[name]
