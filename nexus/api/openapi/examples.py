"""Examples of bodies and responses: a shop as the seed leaves it, and one order in it."""

from typing import Any

from nexus.schemas.auth import (
    EmailChange,
    Farewell,
    PasswordChange,
    PasswordReset,
    Refresh,
    Registration,
    SessionAnswer,
    SessionList,
    SignIn,
    UserAnswer,
)
from nexus.schemas.catalog import NewProduct, ProductAnswer, ProductChange, ProductPage
from nexus.schemas.ops import Description, Health
from nexus.schemas.orders import (
    NewOrder,
    OrderAnswer,
    OrderEvents,
    OrderPage,
    OrderStep,
    OrderWithProduct,
    PlacedOrder,
    ReceiptAnswer,
)
from nexus.schemas.stats import Stats

CREATED, LATER = "2026-01-31T09:12:33.123Z", "2026-01-31T09:14:02.456Z"
EMAIL, PASSWORD, NEXT_PASSWORD = "seller@example.com", "correct horse battery", "violet staple harbour"
REFRESHING = "pXr0bQ4n8sYw2mK6tVc1zA"
RECEIPT = "3q2-7wAAyv66vu8B0o7sV5mZkq1n4T8rXcYbU2dLhPE"

USER = {"id": 1, "email": EMAIL, "role": "seller", "createdAt": CREATED}
PRODUCT = {
    "id": 1,
    "userId": 1,
    "name": "My First Awesome Course",
    "description": "This is the best course ever.",
    "price": 4999,
    "currency": "USD",
    "status": "live",
    "createdAt": CREATED,
    "updatedAt": CREATED,
}
ORDER = {
    "id": "8a1c1f0e-7c53-4f3e-9f0b-1d2c3b4a5f60",
    "productId": 1,
    "productName": "My First Awesome Course",
    "email": "buyer@example.com",
    "name": None,
    "status": "created",
    "amount": 4999,
    "currency": "USD",
    "createdAt": LATER,
    "updatedAt": LATER,
}
SESSION = {
    "id": "9b2f0a3e-8a43-4f4b-9f1c-0f6f3f7f2a11",
    "userAgent": "curl/8.5.0",
    "address": "203.0.113.7",
    "createdAt": CREATED,
    "refreshedAt": CREATED,
    "current": True,
}
SOLD = [{"status": "paid", "currency": "USD", "orders": 2, "amount": 9998}]
EVENT = {"at": LATER, "from": None, "to": "created", "actor": "buyer", "requestId": "checkout-7f3a"}

#: By model; every body and response needs one.
EXAMPLES: dict[Any, dict[str, Any]] = {
    Registration: {"email": EMAIL, "password": PASSWORD},
    SignIn: {"email": EMAIL, "password": PASSWORD},
    Refresh: {"refreshToken": REFRESHING},
    PasswordChange: {"newPassword": NEXT_PASSWORD, "currentPassword": PASSWORD},
    PasswordReset: {"newPassword": NEXT_PASSWORD, "token": "Zm9yZ290dGVuLWJ1dC1ub3QtbG9zdA"},
    EmailChange: {"email": "shop@example.com", "currentPassword": PASSWORD},
    Farewell: {"password": PASSWORD},
    UserAnswer: {"user": USER},
    SessionAnswer: {
        "success": True,
        "token": "eyJhbGciOiJIUzI1NiJ9.eyJpZCI6MX0.c2lnbmF0dXJl",
        "refreshToken": REFRESHING,
        "expiresIn": 7200,
        "user": USER,
    },
    SessionList: {"sessions": [SESSION]},
    NewProduct: {"name": PRODUCT["name"], "price": 4999, "description": PRODUCT["description"]},
    ProductChange: {"price": 5999},
    ProductAnswer: {"product": PRODUCT},
    ProductPage: {"products": [PRODUCT], "nextCursor": None},
    NewOrder: {"productId": 1, "email": "buyer@example.com", "amount": 4999},
    OrderStep: {"status": "processing"},
    OrderAnswer: {"order": {**ORDER, "status": "processing", "updatedAt": "2026-01-31T09:20:45.000Z"}},
    PlacedOrder: {"order": ORDER, "receiptToken": RECEIPT},
    ReceiptAnswer: {"receiptToken": RECEIPT},
    OrderWithProduct: {"order": ORDER, "product": PRODUCT},
    OrderEvents: {"events": [EVENT]},
    OrderPage: {"orders": [{**ORDER, "product": PRODUCT}], "nextCursor": None},
    Stats: {
        "from": "2026-01-30",
        "to": "2026-01-31",
        "interval": "day",
        "timeZone": "Europe/Moscow",
        "totals": SOLD,
        "intervals": [
            {"from": "2026-01-30", "to": "2026-01-30", "sales": []},
            {"from": "2026-01-31", "to": "2026-01-31", "sales": SOLD},
        ],
        "products": [{"productId": 1, "name": PRODUCT["name"], "sales": SOLD}],
        "otherProducts": [],
    },
    Health: {"status": "ok"},
    Description: {
        "openapi": "3.1.0",
        "info": {"title": "Nexus", "version": "1.0.0"},
        "servers": [{"url": "/"}],
        "tags": [{"name": "orders", "description": "Orders and their status."}],
        "paths": {},
        "components": {},
    },
}
