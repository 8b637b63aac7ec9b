"""The seed: the first seller and products of a new shop; seeding again adds only what is missing."""

import json
from dataclasses import dataclass, field
from typing import Any

from nexus.config import ROOT, Settings
from nexus.db import session
from nexus.models.catalog import Product
from nexus.models.users import User

DATA = ROOT / "seed" / "shop.json"


@dataclass
class SeedReport:
    """What was created, and what already existed."""

    created: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"seed: {len(self.created)} created, {len(self.present)} already there"


def sign_in() -> tuple[str, str]:
    """E-mail and password of the seeded user in development."""
    user = _data()["user"]
    return user["email"], user["password"]


def seed_password(settings: Settings) -> str:
    """The password of seeded users: a well-known one in development, SEED_PASSWORD in production."""
    if settings.development:
        return sign_in()[1]
    if settings.seed_password is None:
        raise ValueError("SEED_PASSWORD is required in production")
    return settings.seed_password


def plant(settings: Settings) -> SeedReport:
    """Create what is missing and leave the rest unchanged; DatabaseUnavailable on an outage."""
    data = _data()
    password = seed_password(settings)
    report = SeedReport()
    with session() as database, database.atomic():
        # Two concurrent runs would both find a product missing.
        database.execute_sql("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")
        user = User.by_email(data["user"]["email"]).first()
        (report.present if user else report.created).append(f"user {data['user']['email']}")
        user = user or User.register(email=data["user"]["email"], password=password)
        there = {product.name for product in Product.of_user(user.id, viewer=user)}
        for product in data["products"]:
            if product["name"] in there:
                report.present.append(f"product {product['name']}")
            else:
                Product.offer(user, currency=settings.currency, **product)
                report.created.append(f"product {product['name']}")
    return report


def plant_if_empty(settings: Settings) -> SeedReport | None:
    """Seed only a shop without users: in others, what was deleted should stay deleted."""
    with session():
        is_empty = not User.select().exists()
    return plant(settings) if is_empty else None


def is_planted() -> bool:
    """Whether the seeded user exists."""
    with session():
        return bool(User.by_email(_data()["user"]["email"]).exists())


def _data() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return data
