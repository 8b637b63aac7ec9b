"""Products: what is sold, who may see it, who may change it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

import peewee
from peewee import SQL, Check, fn

from nexus.db import statement, violated
from nexus.errors import Forbidden, NotFound, PreconditionFailed, Unauthenticated
from nexus.models.base import TOUCH, BigIdentityField, Model, Trigger
from nexus.models.users import User
from nexus.paging import after

LIVE, DRAFT = "live", "draft"

#: What separates words, by code point: punctuation and symbols, but no letters and no digits, whatever the
#: database's locale. PostgreSQL's own parser would see file names, hosts or numbers in some of it, and in an
#: ASCII-only locale it takes guillemets and dashes for letters. Both PostgreSQL and Python use this pattern.
BETWEEN_WORDS = (
    r"[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf"
    r"\u00d7\u00f7\u2000-\u206f\u20a0-\u214f\u2190-\u2bff\u3000-\u303f\ufe00-\ufe0f\uff01-\uff0f"
    r"\U0001f000-\U0001faff]+"
)
#: Maintains the words by which a product is found, stemmed and unstemmed, with those of its name (A) before
#: those of its description (B). A tsvector holds at most 1 MB and imported text has any length, so only the
#: beginning is indexed. Triggers run in the order of their names, so for `touch` new words are no change.
WORDS = Trigger(
    name="words",
    event="BEFORE INSERT OR UPDATE OF name, description",
    function="write_product_words",
    body=f"""
DECLARE
    name text := regexp_replace(left(NEW.name, 20000), '{BETWEEN_WORDS}', ' ', 'g');
    description text := regexp_replace(left(NEW.description, 20000), '{BETWEEN_WORDS}', ' ', 'g');
BEGIN
    NEW.search :=
        setweight(to_tsvector('pg_catalog.russian', name), 'A')
        || setweight(to_tsvector('pg_catalog.simple', name), 'A')
        || setweight(to_tsvector('pg_catalog.russian', description), 'B')
        || setweight(to_tsvector('pg_catalog.simple', description), 'B');
    RETURN NEW;
END
""",
)


class Product(Model):
    """Something that a seller offers; the price is in the smallest unit of its currency."""

    triggers: ClassVar[tuple[Trigger, ...]] = (TOUCH, WORDS)

    id = BigIdentityField()
    user = peewee.ForeignKeyField(User, on_delete="CASCADE", index=False, lazy_load=False)
    user_id: int
    name = peewee.TextField()
    description = peewee.TextField(constraints=[SQL("DEFAULT ''")])
    price = peewee.BigIntegerField(constraints=[Check("price >= 0", "products_price")])
    currency = peewee.TextField(constraints=[Check("currency ~ '^[A-Z]{3}$'", "products_currency")])
    status = peewee.TextField(
        constraints=[SQL("DEFAULT 'live'"), Check("status IN ('live', 'draft')", "products_status")]
    )

    class Meta:
        """Peewee's options."""

        table_name = "products"
        # A column without a field: no query reads it into Python, and only the trigger writes it.
        constraints: ClassVar = [SQL("search tsvector")]

    @classmethod
    def seen(
        cls, viewer_id: int | None = None, *, min_price: int | None = None, max_price: int | None = None
    ) -> Any:
        """The condition for products that a viewer may see: live ones and own drafts, at such prices."""
        seen = cls.status == LIVE
        if viewer_id is not None:
            seen |= cls.user == viewer_id
        if min_price is not None:
            seen &= cls.price >= min_price
        if max_price is not None:
            seen &= cls.price <= max_price
        return seen

    @classmethod
    def shown(cls, product_id: int, *, viewer: User | None) -> Any:
        """The product with this id as a row, or None if the viewer may not see it."""
        rows = _shown(product_id=product_id, viewer_id=viewer.id if viewer else None)
        return rows[0] if rows else None

    @classmethod
    def listed(cls, sort: str, place: Sequence[Any] | None, limit: int, **whose: Any) -> list[Any]:
        """The first rows of `sorted_by(**whose)`, or those after a place, (value, id).

        `updated_at` is None for products that were never changed, as most: times take PostgreSQL and the
        driver a large part of a list.
        """
        value, last = place or (None, None)
        return _listed(sort, value=value, last=last, limit=limit, **whose)

    @classmethod
    def of_user(cls, user_id: int, *, viewer: User | None) -> "peewee.ModelSelect[Product]":
        """A seller's products that the viewer may see, newest first."""
        return cls.sorted_by(NEWEST_FIRST, user_id=user_id, viewer_id=viewer.id if viewer else None)

    @classmethod
    def sorted_by(cls, sort: "Sort", *, user_id: int, **seen: Any) -> "peewee.ModelSelect[Product]":
        """A seller's products that meet the condition `seen(**seen)`, in this order."""
        return cls.select().where((cls.user == user_id) & cls.seen(**seen)).order_by(*sort.terms)

    @classmethod
    def with_owner(cls, product_id: int) -> "peewee.ModelSelect[Product]":
        """The product with this id, with its owner loaded."""
        return cls.select(cls, User).join(User).where(cls.id == product_id)

    @classmethod
    def offer(cls, owner: User, *, currency: str, **fields: Any) -> "Product":
        """Create a product from `name`, `price` and, optionally, `description` and `status`.

        Raises Unauthenticated if the owner's account is gone.
        """
        try:
            (product,) = cls.written(cls.insert(user=owner.id, currency=currency, **fields))
        except peewee.IntegrityError as error:
            if violated(error) == "products_user_id_fkey":
                # The account was deleted after the caller was authenticated.
                raise Unauthenticated from None
            raise
        return product

    @classmethod
    def change(
        cls, product_id: int, *, owner: User, versions: Sequence[datetime] | None, **fields: Any
    ) -> "Product":
        """Change fields of the owner's product, if it is still at one of the versions (None: at any).

        A version is an `updated_at`. Raises PreconditionFailed for a product that was changed meanwhile, and
        Forbidden or NotFound for someone else's.
        """
        mine = cls._mine(product_id, owner, versions)
        rows = cls.written(cls.update(**fields).where(mine)) if fields else list(cls.select().where(mine))
        if not rows:
            raise cls._refusal(product_id, owner)
        return rows[0]

    @classmethod
    def withdraw(cls, product_id: int, *, owner: User, versions: Sequence[datetime] | None) -> None:
        """Delete the owner's product and keep its orders; raises what `change` raises."""
        if not cls.delete().where(cls._mine(product_id, owner, versions)).execute():
            raise cls._refusal(product_id, owner)

    @classmethod
    def _mine(cls, product_id: int, owner: User, versions: Sequence[datetime] | None) -> Any:
        mine = (cls.id == product_id) & (cls.user == owner.id)
        return mine if versions is None else mine & cls.updated_at.in_(versions)

    @classmethod
    def _refusal(cls, product_id: int, owner: User) -> Forbidden | NotFound | PreconditionFailed:
        product = cls.shown(product_id, viewer=owner)
        if product is None:
            return NotFound()
        return PreconditionFailed() if product.user_id == owner.id else Forbidden()


class Sort(NamedTuple):
    """A sort order of products: its SQL expression, its direction, and how to read it from a product."""

    value: Any
    ascending: bool
    position: Callable[[Product], Any]
    kind: type[datetime | int | str]
    #: Turns a value into the SQL expression that it is compared as.
    compared: Callable[[Any], Any] = lambda value: value

    @property
    def terms(self) -> tuple[Any, ...]:
        """The ORDER BY terms; ties are broken by id, in the same direction."""
        return self.toward(self.value), self.toward(Product.id)

    def toward(self, column: Any) -> Any:
        """A column in this sort order's direction."""
        return column if self.ascending else column.desc()

    def after(self, value: Any, last: Any) -> Any:
        """The condition for the products after the one with this value and id."""
        return after((self.value, Product.id), (self.compared(value), last), ascending=self.ascending)

    def place(self, product: Any) -> tuple[Any, int]:
        """The position of a loaded product, as the arguments of `after`."""
        return self.position(product), product.id


def _letters(text: Any) -> peewee.NodeList:
    """The expression names are sorted by: lower case, by code point, which no library upgrade changes."""
    return peewee.NodeList((fn.LOWER(text), SQL('COLLATE "C"')))


#: Only the beginning of a name, since an index entry is limited in size.
NAME = _letters(fn.LEFT(Product.name, 255))
NEWEST_FIRST = Sort(Product.created_at, False, lambda product: product.created_at, datetime)  # noqa: FBT003
#: By the API's `sort` values.
SORTS = {
    "-createdAt": NEWEST_FIRST,
    "createdAt": NEWEST_FIRST._replace(ascending=True),
    "price": Sort(Product.price, True, lambda product: product.price, int),  # noqa: FBT003
    "-price": Sort(Product.price, False, lambda product: product.price, int),  # noqa: FBT003
    "name": Sort(NAME, True, lambda product: product.name[:255], str, _letters),  # noqa: FBT003
    "-name": Sort(NAME, False, lambda product: product.name[:255], str, _letters),  # noqa: FBT003
}


@statement(prepared=True)
def _shown(*, product_id: Any, viewer_id: Any) -> Any:
    return Product.select().where((Product.id == product_id) & Product.seen(viewer_id))


@statement(prepared=True)
def _listed(sort: str, *, value: Any, last: Any, limit: Any, **whose: Any) -> Any:
    by = SORTS[sort]
    changed = fn.NULLIF(Product.updated_at, Product.created_at).alias("updated_at")
    columns = [changed if field is Product.updated_at else field for field in Product._meta.sorted_fields]
    products = Product.sorted_by(by, **whose).select(*columns).limit(limit)
    return products if value is None else products.where(by.after(value, last))


Product.add_index(Product.user, Product.price, Product.id, name="products_of_user_by_price")
Product.add_index(Product.user, NAME, Product.id, name="products_of_user_by_name")
Product.add_index(Product.user, Product.created_at.desc(), Product.id.desc(), name="products_of_user")
# True of every row. Only shop-wide lists state it, so that PostgreSQL does not use these indexes for one
# seller's list and skip other sellers' products by the hundred thousand.
HAS_WORDS = SQL("search IS NOT NULL")
Product.add_index(Product.price, Product.id, name="products_by_price", where=HAS_WORDS)
Product.add_index(NAME, Product.id, name="products_by_name", where=HAS_WORDS)
Product.add_index(Product.created_at.desc(), Product.id.desc(), name="products_by_time", where=HAS_WORDS)
# Without GIN's pending list, which every search would have to scan.
Product.add_index(
    SQL("CREATE INDEX products_by_words ON products USING gin (search) WITH (fastupdate = off)")
)
