"""`flask seed --scale`: it generates the same sellers every time, and the shop works with them."""

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from nexus.config import Settings
from nexus.models.steps import STEPS
from nexus.sample import ORDERS, PRODUCTS, seller
from nexus.schemas.catalog import NewProduct
from nexus.schemas.orders import NewOrder
from nexus.security.passwords import verify
from tests.environment import environment, flask
from tests.factories import Person, register
from tests.locks import held, until_someone_waits
from tests.sql import query

COUNTS = "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM products), (SELECT count(*) FROM orders)"
CONTENT = (
    "SELECT (SELECT json_agg((id, email, created_at, updated_at) ORDER BY id)::text FROM users),"
    " (SELECT json_agg(products ORDER BY id)::text FROM products),"
    " (SELECT json_agg(orders ORDER BY id)::text FROM orders)"
)


def test_it_creates_and_reports_what_is_missing(root: Path, shop: Settings) -> None:
    first = flask(root, shop, "seed", "--scale", "3")
    again = flask(root, shop, "seed", "--scale", "3", "--json")
    more = flask(root, shop, "seed", "--scale", "5", "--json")

    assert [run.returncode for run in (first, again, more)] == [0, 0, 0]
    assert first.stdout.splitlines() == [
        "created        3 users, 300 products, 30 orders",
        "already there  0 users",
    ]
    assert first.stderr == ""
    nothing = {"users": 0, "products": 0, "orders": 0}
    assert json.loads(again.stdout) == {"created": nothing, "present": {"users": 3}}
    assert json.loads(more.stdout)["created"] == {"users": 2, "products": 200, "orders": 20}
    assert query(shop, COUNTS) == [(5, 500, 50)]


def test_the_rows_are_the_same_in_one_step_or_several(root: Path, shop: Settings) -> None:
    flask(root, shop, "seed", "--scale", "3")
    at_once = query(shop, CONTENT)
    query(shop, "TRUNCATE order_events, orders, products, users RESTART IDENTITY CASCADE")

    flask(root, shop, "seed", "--scale", "1")
    flask(root, shop, "seed", "--scale", "3")

    assert query(shop, CONTENT) == at_once


def test_a_deleted_seller_is_created_again_and_gets_its_old_orders(root: Path, shop: Settings) -> None:
    flask(root, shop, "seed", "--scale", "2")
    query(shop, "DELETE FROM users WHERE email = 'user000001@scale.example'")

    repaired = flask(root, shop, "seed", "--scale", "2", "--json")

    assert json.loads(repaired.stdout)["created"] == {"users": 1, "products": 100, "orders": 0}
    assert query(shop, COUNTS) == [(2, 200, 20)]


def test_an_interrupted_run_leaves_nothing(root: Path, shop: Settings) -> None:
    words = [sys.executable, "-m", "flask", "seed", "--scale", "2"]
    with held(shop, "LOCK TABLE orders IN SHARE MODE"):
        run = subprocess.Popen(words, cwd=root, env=environment(shop), stderr=subprocess.PIPE, text=True)
        until_someone_waits(shop)
        run.send_signal(signal.SIGINT)
    _, complaint = run.communicate(timeout=60)

    assert run.returncode == 1
    assert complaint.split() == ["Aborted!"]
    assert query(shop, COUNTS) == [(0, 0, 0)]


def test_scaling_production_requires_force_and_a_password(root: Path, shop: Settings) -> None:
    words = ["seed", "--scale", "1"]
    secret = {"APP_ENV": "production", "SEED_PASSWORD": "a password of our own"}

    without_force = flask(root, shop, *words, **secret)
    without_password = flask(root, shop, *words, "--force", APP_ENV="production")
    before = query(shop, COUNTS)
    forced = flask(root, shop, *words, "--force", **secret)

    assert (without_force.returncode, without_password.returncode, forced.returncode) == (1, 1, 0)
    assert without_force.stderr == "Error: this is production: add --force to seed the shop anyway\n"
    assert before == [(0, 0, 0)]
    ((hashed,),) = query(shop, "SELECT password FROM users")
    assert verify("a password of our own", hashed)


def test_commands_fail_in_one_line_without_the_tables(root: Path, scratch: Settings) -> None:
    for words in (["seed"], ["seed", "--scale", "1"], ["db", "bench"]):
        run = flask(root, scratch, *words)
        assert (run.returncode, run.stdout) == (1, "")
        assert run.stderr == "Error: the migration 001_initial is pending: run flask migrate first\n"


def test_a_scale_of_zero_is_a_usage_error(root: Path, scratch: Settings) -> None:
    assert flask(root, scratch, "seed", "--scale", "0").returncode == 2


def test_the_shop_works_with_generated_rows(
    root: Path, settings: Settings, app: Flask, stranger: Person
) -> None:
    flask(root, settings, "seed", "--scale", "2")
    body = {"email": "User000002@scale.example", "password": "password123"}
    signed_in = stranger.post("/api/auth/login", body).get_json()
    owner = Person(app, token=signed_in["token"], user=signed_in["user"])

    public, own = pages(stranger, owner.id), pages(owner, owner.id)
    sold = owner.get("/api/orders").get_json()["orders"]
    newcomer = register(app, "newcomer@example.com")
    product = newcomer.product()

    live = [offer for offer in seller(2).offers if offer.status == "live"]
    assert [found["name"] for found in public] == [offer.name for offer in reversed(live)]
    assert len({found["id"] for found in own}) == PRODUCTS
    assert len(sold) == ORDERS
    assert all(order["amount"] == order["product"]["price"] for order in sold)
    assert newcomer.id > owner.id
    assert product["id"] > max(found["id"] for found in own)


def pages(person: Person, user_id: int) -> list[dict[str, str]]:
    found, cursor = [], ""
    while True:
        page = person.get(f"/api/products?userId={user_id}&limit=30{cursor}").get_json()
        found += page["products"]
        if page["nextCursor"] is None:
            return found
        cursor = f"&cursor={page['nextCursor']}"


@given(st.integers(1, 10**7))
def test_every_generated_seller_is_valid_for_the_api(number: int) -> None:
    made = seller(number)

    assert made == seller(number)
    assert (len(made.offers), len(made.sales)) == (PRODUCTS, ORDERS)
    for offer in made.offers:
        kept = {"name": offer.name, "description": offer.description, "status": offer.status}
        read = NewProduct.model_validate({**kept, "price": offer.price})
        assert read.model_dump(include=set(kept)) == kept
        assert made.created_at < offer.created_at
    for sale in made.sales:
        offer = made.offers[sale.offer]
        assert offer.status == "live"
        assert sale.status in (STEPS if offer.price else ("paid", "refunded"))
        assert offer.created_at < sale.created_at <= sale.updated_at < datetime(2026, 1, 1, tzinfo=UTC)
        order = NewOrder.model_validate({"productId": 1, "email": sale.email, "name": sale.name})
        assert (order.email, order.name) == (sale.email, sale.name)
