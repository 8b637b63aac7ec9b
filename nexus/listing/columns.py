"""Which columns people may see, decided one by one: a column that is not listed is hidden."""

from nexus.models.catalog import DRAFT, LIVE
from nexus.models.steps import STEPS
from nexus.models.users import ADMIN, SELLER

TIMES = ("created_at", "updated_at")

#: By table, in the order in which they are shown.
SHOWN: dict[str, tuple[str, ...]] = {
    "users": ("id", "email", "role", *TIMES),
    "products": ("id", "user_id", "name", "description", "price", "currency", "status", *TIMES),
    "orders": (
        *("id", "status", "amount", "currency", "product_id", "product_name"),
        *("email", "name", "seller_id", *TIMES, "old_id"),
    ),
    "order_events": ("id", "order_id", "at", "from", "to", "actor", "request_id"),
    "sessions": ("id", "user_id", "user_agent", "address", "refreshed_at", "ended_at", *TIMES),
    "refresh_tokens": ("session_id", "spent_at", *TIMES),
    "resets": ("user_id", "expires_at", *TIMES),
    "idempotency_keys": ("order_id", "product_id", "status", "created_at"),
    "buckets": ("full_at",),
    "audit": ("id", "at", "actor", "action", "subject", "key", "details", "request_id"),
    "migratehistory": ("id", "name", "digest", "migrated_at"),
}

#: The columns that nobody may see: hashes of passwords, tokens and keys, and what means nothing to a person.
HIDDEN: dict[str, tuple[str, ...]] = {
    "users": ("password",),
    "products": ("search",),
    "refresh_tokens": ("hash",),
    "resets": ("hash",),
    "idempotency_keys": ("hash", "body"),
    "buckets": ("key",),
}

#: The only values that a column can have.
CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("users", "role"): (SELLER, ADMIN),
    ("products", "status"): (LIVE, DRAFT),
    ("orders", "status"): tuple(STEPS),
}

#: Index predicates that are true of every row of a table, as PostgreSQL writes them.
ALWAYS = {"products": "(search IS NOT NULL)"}
