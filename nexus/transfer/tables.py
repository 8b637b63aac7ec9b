"""The contents of a file: the tables, their fields, and the defaults for rows that lack one."""

from collections.abc import Container
from dataclasses import dataclass
from enum import Enum

from nexus.models.catalog import DRAFT, LIVE
from nexus.models.steps import STEPS
from nexus.models.users import ADMIN, SELLER

#: The metadata of our files.
FORMAT = "nexus"
VERSION = 1


class Kind(Enum):
    """The kind of a field; `nexus/transfer/rows.py` has the rule of each."""

    #: A number that PostgreSQL assigns, or a reference to one.
    ID = "id"
    #: An order's id: a UUID, or any text from the old system.
    ORDER_ID = "order id"
    #: An integer that is not negative, in the currency's smallest unit.
    MONEY = "money"
    TEXT = "text"
    #: An indexed text, whose length is limited by that.
    KEY = "key"
    HASH = "hash"
    CURRENCY = "currency"
    #: RFC 3339 in the file; up to microseconds.
    TIME = "time"

    @property
    def type(self) -> str:
        """The column's type in PostgreSQL."""
        return TYPES.get(self, "text")


TYPES = {Kind.ID: "bigint", Kind.MONEY: "bigint", Kind.ORDER_ID: "uuid", Kind.TIME: "timestamptz"}


@dataclass(frozen=True)
class Field:
    """One field of a row: its name in a file, its column, and its rules."""

    wire: str
    column: str
    kind: Kind
    nullable: bool = False
    #: SQL for the value in an old row without this field: `s` is the row, `p` an order's product.
    default: str | None = None
    #: The only allowed texts; empty: any.
    choices: tuple[str, ...] = ()
    #: The table to whose id it refers.
    references: str | None = None
    #: Whether it may refer to a row that never existed, which `--orphans keep` makes null.
    orphans: bool = False
    #: Whether a row must be imported together with the one that it refers to, and not later.
    together: bool = False
    #: SQL, with `{}` for the column, for a value that must be unique in the table.
    unique: str | None = None


@dataclass(frozen=True)
class Table:
    """One table; its first field is its id."""

    name: str
    fields: tuple[Field, ...]
    #: The fields that may be the keys of an old map of these rows; empty: keys can be anything.
    keyed_by: tuple[str, ...] = ()
    #: The column of an amount, and the one by which it is summed.
    summed: tuple[str, str] | None = None

    @property
    def id(self) -> Field:
        """The field that identifies rows."""
        return self.fields[0]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in the order of the fields."""
        return tuple(field.column for field in self.fields)

    @property
    def defaults(self) -> tuple[Field, ...]:
        """The fields that an old row may lack."""
        return tuple(field for field in self.fields if field.default is not None)

    def given(self, names: Container[str]) -> int:
        """A bit mask over `defaults`: the fields that a row with these names has."""
        return sum(1 << bit for bit, field in enumerate(self.defaults) if field.wire in names)


USERS = Table(
    "users",
    (
        Field("id", "id", Kind.ID),
        Field("email", "email", Kind.KEY, unique="lower({})"),
        Field("password", "password", Kind.HASH),
        Field("role", "role", Kind.TEXT, default=f"'{SELLER}'", choices=(SELLER, ADMIN)),
        Field("createdAt", "created_at", Kind.TIME, default="now()"),
        Field("updatedAt", "updated_at", Kind.TIME, default="COALESCE(s.created_at, now())"),
    ),
    keyed_by=("email", "id"),
)

PRODUCTS = Table(
    "products",
    (
        Field("id", "id", Kind.ID),
        Field("userId", "user_id", Kind.ID, references="users"),
        Field("name", "name", Kind.TEXT),
        Field("description", "description", Kind.TEXT),
        Field("price", "price", Kind.MONEY),
        Field("currency", "currency", Kind.CURRENCY, default="%(currency)s"),
        Field("status", "status", Kind.TEXT, default=f"'{LIVE}'", choices=(LIVE, DRAFT)),
        Field("createdAt", "created_at", Kind.TIME, default="now()"),
        Field("updatedAt", "updated_at", Kind.TIME, default="COALESCE(s.created_at, now())"),
    ),
    keyed_by=("id",),
)

ORDERS = Table(
    "orders",
    (
        Field("id", "id", Kind.ORDER_ID),
        Field("oldId", "old_id", Kind.KEY, nullable=True, unique="{}"),
        Field("sellerId", "seller_id", Kind.ID, nullable=True, default="p.user_id", references="users"),
        Field("productId", "product_id", Kind.ID, nullable=True, references="products", orphans=True),
        # The name of a product that never existed is unknown.
        Field("productName", "product_name", Kind.TEXT, default="COALESCE(p.name, '')"),
        Field("email", "email", Kind.KEY),
        Field("name", "name", Kind.TEXT, nullable=True),
        Field("status", "status", Kind.TEXT, choices=tuple(STEPS)),
        Field("amount", "amount", Kind.MONEY),
        Field("currency", "currency", Kind.CURRENCY, default="%(currency)s"),
        Field("createdAt", "created_at", Kind.TIME),
        Field("updatedAt", "updated_at", Kind.TIME, default="s.created_at"),
    ),
    summed=("amount", "status"),
)

#: Tables that are never in a file: sessions and their tokens, what expires within a day, rate limit buckets,
#: and the audit log, which belongs to this shop only.
LEFT_OUT = ("audit", "buckets", "idempotency_keys", "refresh_tokens", "resets", "sessions")

ORDER_EVENTS = Table(
    "order_events",
    (
        Field("id", "id", Kind.ID),
        Field("orderId", "order_id", Kind.ORDER_ID, references="orders", together=True),
        Field("at", "at", Kind.TIME),
        Field("from", '"from"', Kind.TEXT, nullable=True, choices=tuple(STEPS)),
        Field("to", '"to"', Kind.TEXT, choices=tuple(STEPS)),
        Field("actor", "actor", Kind.TEXT),
        Field("requestId", "request_id", Kind.TEXT, nullable=True),
    ),
)

#: In this order, so that the rows to which a row refers come before it.
TABLES = (USERS, PRODUCTS, ORDERS, ORDER_EVENTS)
