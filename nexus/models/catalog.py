"""Products: what is sold, who sees it, who may change it."""

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

#: What stands between words, by code point: signs of all kinds, but neither letters nor digits, whatever the
#: database's locale takes them for. PostgreSQL's own parser sees a file, a host or a number in some of them,
#: and in a locale that knows only ASCII it takes guillemets and dashes for letters. Python reads it too.
BETWEEN_WORDS = (
    r"[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf"
    r"\u00d7\u00f7\u2000-\u206f\u20a0-\u214f\u2190-\u2bff\u3000-\u303f\ufe00-\ufe0f\uff01-\uff0f"
    r"\U0001f000-\U0001faff]+"
)
#: Keeps the words by which a product is found: without their endings and as they are, those of its name (A)
#: before those of its description (B). A tsvector holds 1 MB and imported text has any length, so only the
#: beginning counts. Triggers run in the order of their names: for `touch`, new words alone are no change.
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
    """Something that a seller offers, at a price in the smallest unit of its currency."""

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
        # A column and no field: no query reads it into Python, and no code writes it.
        constraints: ClassVar = [SQL("search tsvector")]

    @classmethod
    def seen(
        cls, viewer_id: int | None = None, *, min_price: int | None = None, max_price: int | None = None
    ) -> Any:
        """The condition of what a viewer may see, all that is live and one's own drafts, at such prices."""
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
        """The row of the product with this id, or None where the viewer may not see it."""
        rows = _shown(product_id=product_id, viewer_id=viewer.id if viewer else None)
        return rows[0] if rows else None

    @classmethod
    def listed(cls, sort: str, place: Sequence[Any] | None, limit: int, **whose: Any) -> list[Any]:
        """The first rows of `sorted_by`, which takes `whose`, or those after a place, (value, id)."""
        value, last = place or (None, None)
        return _listed(sort, value=value, last=last, limit=limit, **whose)

    @classmethod
    def of_user(cls, user_id: int, *, viewer: User | None) -> "peewee.ModelSelect[Product]":
        """A seller's products that the viewer may see, newest first."""
        return cls.sorted_by(NEWEST_FIRST, user_id=user_id, viewer_id=viewer.id if viewer else None)

    @classmethod
    def sorted_by(cls, sort: "Sort", *, user_id: int, **seen: Any) -> "peewee.ModelSelect[Product]":
        """What of a seller is seen, by whom and at which prices as `seen` takes it."""
        return cls.select().where((cls.user == user_id) & cls.seen(**seen)).order_by(*sort.terms)

    @classmethod
    def with_owner(cls, product_id: int) -> "peewee.ModelSelect[Product]":
        """The product with this id, its owner loaded with it."""
        return cls.select(cls, User).join(User).where(cls.id == product_id)

    @classmethod
    def offer(cls, owner: User, *, currency: str, **fields: Any) -> "Product":
        """Put a product up: `name`, `price`, and where given `description` and `status`.

        Raises Unauthenticated for an owner whose account is gone.
        """
        try:
            (product,) = cls.written(cls.insert(user=owner.id, currency=currency, **fields))
        except peewee.IntegrityError as error:
            if violated(error) == "products_user_id_fkey":
                # The account was deleted since it was asked who is calling.
                raise Unauthenticated from None
            raise
        return product

    @classmethod
    def change(
        cls, product_id: int, *, owner: User, versions: Sequence[datetime] | None, **fields: Any
    ) -> "Product":
        """Change fields of one's own product, if it still is one of the versions (None: whichever it is).

        A version is an `updated_at`. Raises PreconditionFailed for a product that was changed meanwhile, and
        Forbidden or NotFound for another's.
        """
        mine = cls._mine(product_id, owner, versions)
        rows = cls.written(cls.update(**fields).where(mine)) if fields else list(cls.select().where(mine))
        if not rows:
            raise cls._why_not(product_id, owner)
        return rows[0]

    @classmethod
    def withdraw(cls, product_id: int, *, owner: User, versions: Sequence[datetime] | None) -> None:
        """Delete one's own product, which its orders outlive; raises what `change` does."""
        if not cls.delete().where(cls._mine(product_id, owner, versions)).execute():
            raise cls._why_not(product_id, owner)

    @classmethod
    def _mine(cls, product_id: int, owner: User, versions: Sequence[datetime] | None) -> Any:
        mine = (cls.id == product_id) & (cls.user == owner.id)
        return mine if versions is None else mine & cls.updated_at.in_(versions)

    @classmethod
    def _why_not(cls, product_id: int, owner: User) -> Forbidden | NotFound | PreconditionFailed:
        product = cls.shown(product_id, viewer=owner)
        if product is None:
            return NotFound()
        return PreconditionFailed() if product.user_id == owner.id else Forbidden()


class Sort(NamedTuple):
    """An order of products: by what in SQL, which way, and where a loaded product has the same value."""

    value: Any
    ascending: bool
    position: Callable[[Product], Any]
    kind: type[datetime | int | str]
    #: What turns such a value into what it is compared as.
    compared: Callable[[Any], Any] = lambda value: value

    @property
    def terms(self) -> tuple[Any, ...]:
        """What SQL orders by. Ties go by id, the same way."""
        return self.toward(self.value), self.toward(Product.id)

    def toward(self, column: Any) -> Any:
        """A column in this order's direction."""
        return column if self.ascending else column.desc()

    def after(self, value: Any, last: Any) -> Any:
        """The condition for the products after the one that has this value and id."""
        return after((self.value, Product.id), (self.compared(value), last), ascending=self.ascending)

    def place(self, product: Any) -> tuple[Any, int]:
        """Where a loaded product stands, as `after` takes it."""
        return self.position(product), product.id


def _letters(text: Any) -> peewee.NodeList:
    """A text as names are sorted: whatever its case, by code point, which no upgrade of a library changes."""
    return peewee.NodeList((fn.LOWER(text), SQL('COLLATE "C"')))


#: What an index can hold of a name of any length.
NAME = _letters(fn.LEFT(Product.name, 255))
NEWEST_FIRST = Sort(Product.created_at, False, lambda product: product.created_at, datetime)  # noqa: FBT003
#: By the words of the API.
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
    products = Product.sorted_by(by, **whose).limit(limit)
    return products if value is None else products.where(by.after(value, last))


Product.add_index(Product.user, Product.price, Product.id, name="products_of_user_by_price")
Product.add_index(Product.user, NAME, Product.id, name="products_of_user_by_name")
Product.add_index(Product.user, Product.created_at.desc(), Product.id.desc(), name="products_of_user")
# Every row has words. A list of one seller's products does not say so, lest PostgreSQL take the indexes of
# all products for it, and pass those of others by the hundred thousand.
HAS_WORDS = SQL("search IS NOT NULL")
Product.add_index(Product.price, Product.id, name="products_by_price", where=HAS_WORDS)
Product.add_index(NAME, Product.id, name="products_by_name", where=HAS_WORDS)
Product.add_index(Product.created_at.desc(), Product.id.desc(), name="products_by_time", where=HAS_WORDS)
# Without a list of what is pending, which every search would have to read.
Product.add_index(
    SQL("CREATE INDEX products_by_words ON products USING gin (search) WITH (fastupdate = off)")
)
