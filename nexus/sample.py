"""The sellers of a scaled shop: each is generated from its number, so all scaled shops are the same."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any
from uuid import UUID

from nexus.config import ROOT

DATA = ROOT / "seed" / "scale.json"
#: The numbers for each seller: 1,000 sellers have 100,000 products and 10,000 orders.
PRODUCTS, ORDERS = 100, 10

OPENING = datetime(2024, 1, 1, tzinfo=UTC)
YEAR, MONTH, DAY = 365 * 86400, 30 * 86400, 86400
PRICES = (490, 990, 1490, 1990, 2900, 4900, 9900, 19900, 49900)
#: Out of a hundred products; orders of a free product start as paid.
FREE, DRAFTS = 5, 10
OF_FREE = {"paid": 95, "refunded": 5}
OF_OTHERS = {"created": 15, "processing": 10, "paid": 60, "refunded": 5, "cancelled": 10}


@dataclass(frozen=True)
class Offer:
    """A product; its price is in the smallest unit of the shop's currency."""

    name: str
    description: str
    price: int
    status: str
    created_at: datetime


@dataclass(frozen=True)
class Sale:
    """An order; `offer` is the index in its seller's list of offers."""

    id: UUID
    offer: int
    email: str
    name: str | None
    status: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Seller:
    """An account with its offers, oldest first, and their orders."""

    email: str
    created_at: datetime
    offers: list[Offer]
    sales: list[Sale]


def email_of(number: int) -> str:
    """The address of a seller, at a domain that nobody can own."""
    return f"user{number:06d}@scale.example"


def seller(number: int) -> Seller:
    """The seller with this number, from 1; two out of three write Russian, the others English."""
    random = Random(number)  # noqa: S311 - it must be the same every time.
    words = _words()["ru" if number % 3 else "en"]
    since = _later(OPENING, YEAR, random)
    moments = sorted(_later(since, 10 * MONTH, random) for _ in range(PRODUCTS))
    offers = [_offer(words, moment, random) for moment in moments]
    live = [place for place, offer in enumerate(offers) if offer.status == "live"]
    sales = []
    for _ in range(ORDERS):
        place = random.choice(live)
        # Buyers of the first sellers also buy from later ones, so some have many orders.
        buyer = random.randint(1, 5 * number)
        sales.append(_sale(place, offers[place], buyer, random))
    return Seller(email_of(number), since, offers, sales)


@cache
def _words() -> dict[str, Any]:
    words: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return words


def _offer(words: dict[str, Any], moment: datetime, random: Random) -> Offer:
    topic = random.choice(words["topics"])
    name = random.choice(words["kinds"]).format(topic=topic)
    sentences = random.sample(words["sentences"], random.randint(2, 5))
    return Offer(
        name=name[:1].upper() + name[1:],
        description=" ".join(sentences).format(topic=topic),
        price=0 if random.randrange(100) < FREE else random.choice(PRICES),
        status="draft" if random.randrange(100) < DRAFTS else "live",
        created_at=moment,
    )


def _sale(place: int, offer: Offer, buyer: int, random: Random) -> Sale:
    odds = OF_OTHERS if offer.price else OF_FREE
    (status,) = random.choices(list(odds), list(odds.values()))
    ordered = _later(offer.created_at, 2 * MONTH, random)
    born = "created" if offer.price else "paid"
    people = _words()["ru" if buyer % 3 else "en"]["people"]
    return Sale(
        id=UUID(int=random.getrandbits(128), version=4),
        offer=place,
        email=f"buyer{buyer:06d}@scale.example",
        name=people[buyer % len(people)] if buyer % 4 else None,
        status=status,
        created_at=ordered,
        updated_at=ordered if status == born else _later(ordered, 3 * DAY, random),
    )


def _later(moment: datetime, seconds: int, random: Random) -> datetime:
    return moment + timedelta(seconds=random.randrange(1, seconds))
