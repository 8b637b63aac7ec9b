"""Full-text search for products: how a text is parsed, and how the first matches are found.

PostgreSQL can find the first matches of a list in two ways. One walks the list in its order and checks each
row, which is fast for words that many products have. The other gets every match from the GIN index, which is
fast for words that few products have. The wrong one reads a million rows, and which one that is cannot be
known beforehand. So a statement samples the first rows of the list, and decides by how many of them match.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import peewee
from peewee import OP, Expression, Select, fn

from nexus.db import statement
from nexus.models.catalog import BETWEEN_WORDS, HAS_WORDS, NEWEST_FIRST, SORTS, Product, Sort

#: How many characters of a text count: nobody types more, and each word costs an index lookup.
LETTERS = 200
SIGNS = re.compile(BETWEEN_WORDS)
#: The rank of a match that is older than the window (see Bounds).
OLDER = -1

WORDS = peewee.Column(Product._meta.table, "search")


class Place(NamedTuple):
    """The position of a match: in the window by rank, time and id, beyond it by time and id."""

    #: Time and id of the window's oldest match, as the first page found it.
    edge_at: datetime
    edge_id: int
    rank: int
    at: datetime
    id: int


#: The types of a place's parts.
PLACE = tuple(Place.__annotations__.values())


class Match(NamedTuple):
    """A product that was found, as a row, and the place after which its page begins."""

    product: Any
    after: Place | None

    @property
    def place(self) -> Place:
        """Its position, with the edge as the first page found it."""
        row, edge = self.product, self.after or self.product
        return Place(edge.edge_at, edge.edge_id, getattr(row, "rank", OLDER), row.created_at, row.id)


class Bounds(NamedTuple):
    """The limits of a search."""

    #: How many of the newest matches are ranked, best first; older ones follow by time.
    window: int = 1000
    #: A list is walked if at least `common` of its first `sample` rows match, and for `far` rows at most.
    sample: int = 400
    common: int = 20
    far: int = 20_000


DEFAULT_BOUNDS = Bounds()


class SearchText(NamedTuple):
    """What a text asks for: words match by their stems, and the last one also as a prefix.

    Stop words are ignored, except for the last word.
    """

    others: Any
    final: Any
    beginning: Any

    @classmethod
    def parse(cls, text: str) -> "SearchText":
        """Parse a text; one without any word matches no product."""
        *others, final = SIGNS.sub(" ", text.strip()[:LETTERS]).split() or ["-"]
        return cls(" ".join(others), final, f"'{final}':*")

    def in_sql(self) -> Any:
        """The tsquery."""
        others, final = (fn.plainto_tsquery("pg_catalog.russian", one) for one in (self.others, self.final))
        beginning = fn.to_tsquery("pg_catalog.simple", self.beginning)
        return Expression(others, "&&", Expression(final, "||", beginning))


@dataclass(frozen=True)
class Search:
    """The products that have every word of a text and meet `Product.seen(**seen)`; None: all of them."""

    text: SearchText
    #: The seller; None: all sellers.
    user_id: Any
    seen: Mapping[str, Any] | None
    bounds: Bounds = DEFAULT_BOUNDS

    def best_first(self, place: Sequence[Any] | None, limit: int) -> list[Match]:
        """The matches after a place (None: the first): the window's, best first, and then older ones by time.

        `limit` must not exceed the window. Takes one statement, or two for a page across the window's edge.
        """
        if place is None:
            return [Match(row, None) for row in _best(self._shape, **self._values, limit=limit)]
        place = Place(*place)
        if place.rank == OLDER:
            return self._below(place, limit, at=place.at, last=place.id)
        rows = _best(self._shape, **self._values, **place._asdict(), limit=limit)
        best = [Match(row, place) for row in rows]
        if len(best) == limit:
            return best
        return best + self._below(place, limit - len(best), at=place.edge_at, last=place.edge_id)

    def in_order(self, sort: str, place: Sequence[Any] | None, limit: int) -> list[Any]:
        """The first matches in a sort order, or those after a place, (value, id)."""
        value, last = place or (None, None)
        return _in_order(self._shape, sort, **self._values, value=value, last=last, limit=limit)

    def _below(self, place: Place, limit: int, *, at: datetime, last: int) -> list[Match]:
        return [Match(row, place) for row in self.in_order("-createdAt", (at, last), limit)]

    @property
    def _shape(self) -> tuple[Bounds, bool]:
        """What the SQL of a search depends on: its bounds, and whether it filters by visibility."""
        return self.bounds, self.seen is not None

    @property
    def _values(self) -> dict[str, Any]:
        return {**self.text._asdict(), "user_id": self.user_id, **(self.seen or {})}

    @property
    def products(self) -> "peewee.ModelSelect[Product]":
        """The products that are searched, one seller's or all, by a condition that the indexes have."""
        products = Product.select()
        return products.where(HAS_WORDS if self.user_id is None else Product.user == self.user_id)

    def best(self, place: Place | None, limit: Any) -> Any:
        """The query for the matches in the window, best first, or for those of them after a place."""
        if place is None:
            window = self.first(NEWEST_FIRST, self.products, self.bounds.window)
        else:
            not_older = self.products.where(_not_older(place.edge_at, place.edge_id))
            window = self.first(NEWEST_FIRST, not_older, None)
        at, last, rank = window.c.value, window.c.id, self._rank(window.c.search)
        edge_at, edge_id = (fn.FIRST_VALUE(column).over(order_by=(at, last)) for column in (at, last))
        best = (
            Select([window], [last, rank.alias("rank"), edge_at.alias("edge_at"), edge_id.alias("edge_id")])
            .order_by(rank.desc(), at.desc(), last.desc())
            .limit(limit)
        )
        if place is not None:
            older = (at < place.at) | ((at == place.at) & (last < place.id))
            best = best.where((rank < place.rank) | ((rank == place.rank) & older))
        return (
            Product.select(Product, best.c.rank, best.c.edge_at, best.c.edge_id)
            .join(best, on=Product.id == best.c.id)
            .order_by(best.c.rank.desc(), *NEWEST_FIRST.terms)
        )

    def first(self, sort: Sort, products: "peewee.ModelSelect[Product]", take: Any) -> Any:
        """The query for the first `take` matches (None: all) among products, in a sort order with an index.

        Its columns are `id`, `value` (of the sort) and `search`, its rows in no order.
        """
        rows: Any = products.select(Product.id, sort.value.alias("value"), WORDS)
        ordered = rows.order_by(*sort.terms)
        # The match is a column and not in WHERE, so that LIMIT bounds the rows read, not the rows found.
        asked, bounds = self.text.in_sql(), self.bounds
        condition = HAS_WORDS if self.seen is None else Product.seen(**self.seen)
        walk = ordered.select_extend((condition & Expression(WORDS, "@@", asked)).alias("found"))
        sample, near = walk.limit(bounds.sample), walk.limit(bounds.far)
        is_often = (fn.COUNT(1).filter(sample.c.found) >= bounds.common).alias("yes")
        common = Select([sample], [is_often]).cte("common", materialized=True)
        is_common = Select([common], [common.c.yes])
        walked = _taken(near, sort, take).where(near.c.found & is_common).cte("walked", materialized=True)
        # The walk suffices when it found enough matches, or reached the end of the list.
        is_enough = Select([walked], [fn.COUNT(1) == take])
        beyond = ordered.limit(1).offset(bounds.far)
        is_whole = Select([beyond], [fn.COUNT(1) == 0])
        is_done = Expression(is_common, OP.AND, Expression(is_enough, OP.OR, is_whole))
        done = Select(columns=[is_done.alias("yes")]).cte("done", materialized=True)
        # The GIN branch, for rare words. The sub-SELECT makes the planner assume few matches (else its cost
        # triggers JIT even when it does not run); OFFSET 0 keeps it from becoming an index walk.
        rare = condition & Expression(WORDS, "@@", Select(columns=[asked]))
        asked_for = rows.where(rare & Select([done], [~done.c.yes])).offset(0)
        enough = Select([walked], [walked.c.id, walked.c.value, walked.c.search])
        either = enough.where(Select([done], [done.c.yes])) + _taken(asked_for, sort, take)
        return Select([either], [either.c.id, either.c.value, either.c.search]).with_cte(common, walked, done)

    def _rank(self, words: Any) -> Any:
        """How well words match, in millionths (an integer, so that cursors compare exactly)."""
        return (fn.TS_RANK(words, self.text.in_sql()) * 1_000_000).cast("bigint")


# Neither is prepared, since the best plan depends on the words.
@statement(prepared=False)
def _best(shape: tuple[Bounds, bool], *, limit: Any, **values: Any) -> Any:
    place = {name: values.pop(name) for name in Place._fields if name in values}
    return _search_from(shape, values).best(Place(**place) if place else None, limit)


@statement(prepared=False)
def _in_order(
    shape: tuple[Bounds, bool], sort: str, *, value: Any, last: Any, limit: Any, **values: Any
) -> Any:
    search, by = _search_from(shape, values), SORTS[sort]
    products = search.products if value is None else search.products.where(by.after(value, last))
    first = search.first(by, products, limit)
    return Product.select().where(Product.id.in_(Select([first], [first.c.id]))).order_by(*by.terms)


def _search_from(shape: tuple[Bounds, bool], values: dict[str, Any]) -> Search:
    (bounds, is_conditional), asked = shape, SearchText(*(values.pop(name) for name in SearchText._fields))
    return Search(asked, values.pop("user_id"), values if is_conditional else None, bounds)


def _taken(rows: Any, sort: Sort, take: Any) -> Any:
    order = sort.toward(rows.c.value), sort.toward(rows.c.id)
    return Select([rows], [rows.c.id, rows.c.value, rows.c.search]).order_by(*order).limit(take)


def _not_older(at: datetime, last: int) -> Any:
    return (Product.created_at >= at) & ((Product.created_at > at) | (Product.id >= last))
