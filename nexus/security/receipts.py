"""Receipts: tokens with which a buyer, without an account, can see an order and cancel it."""

import hmac
from base64 import urlsafe_b64encode
from functools import cache
from uuid import UUID

from flask import Request, Response, current_app

from nexus.application import Application
from nexus.config import Settings
from nexus.errors import NotFound
from nexus.models.orders import Order


def init_app(app: Application, settings: Settings) -> None:
    """Configure the keys, and keep receipts out of caches and out of the `Referer` header."""
    app.config["RECEIPT_KEYS"] = settings.receipt_keys

    def keep_private(request: Request, response: Response) -> None:
        if presented(request) is not None:
            response.headers["Cache-Control"] = "no-store"
            response.headers["Referrer-Policy"] = "no-referrer"

    app.finishing.append(keep_private)


def issue(order_id: UUID | str) -> str:
    """The receipt of an order; the same key always gives the same text."""
    return _signed(order_id, current_app.config["RECEIPT_KEYS"][0])


def presented(request: Request) -> str | None:
    """The receipt of a request, from `Authorization` or else from the query; None if there is none."""
    environ = request.environ
    given = environ.get("HTTP_AUTHORIZATION", "").split(maxsplit=1)
    if given and given[0].lower() == "receipt":
        return "".join(given[1:]).strip()
    query = environ.get("QUERY_STRING", "")
    # Most queries need not be parsed for this: they do not contain the name, nor escape anything.
    return request.args.get("receipt") if "receipt" in query or "%" in query else None


def order_of(receipt: str, reference: str) -> UUID:
    """The id of the order that a reference means; NotFound unless the receipt is that order's."""
    order_id = Order.id_of(reference)
    if order_id is None or not _good(receipt, order_id):
        raise NotFound
    return order_id


def _good(receipt: str, order_id: UUID) -> bool:
    given = receipt.encode()
    keys: list[str] = current_app.config["RECEIPT_KEYS"]
    # Every key is tried, so that the timing does not reveal which one signed.
    tried = [hmac.compare_digest(given, _signed(order_id, key).encode()) for key in keys]
    return any(tried)


def _signed(order_id: UUID | str, key: str) -> str:
    signature = _begun(key).copy()
    signature.update(bytes.fromhex(str(order_id).replace("-", "")))
    return urlsafe_b64encode(signature.digest()).rstrip(b"=").decode()


@cache
def _begun(key: str) -> hmac.HMAC:
    # The prefix says what is signed, so that nothing else signed with this key passes for a receipt.
    return hmac.new(key.encode(), b"receipt of order ", "sha256")
