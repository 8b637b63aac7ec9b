"""Products: creating and listing them, who sees them, and who may change them."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from playhouse.test_utils import assert_query_count

from nexus.db import database
from nexus.models.catalog import Product
from tests.factories import Person, register

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def test_a_product_is_created(seller: Person) -> None:
    body = {"name": "Курс", "description": "Двадцать уроков", "price": 4999}
    with assert_query_count(2):
        answer = seller.post("/api/products", body)

    product = answer.get_json()["product"]
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/products/{product['id']}"
    assert list(product) == [
        "id",
        "userId",
        "name",
        "description",
        "price",
        "currency",
        "status",
        "createdAt",
        "updatedAt",
    ]
    assert product | body == product
    assert (product["userId"], product["currency"], product["status"]) == (seller.id, "USD", "live")
    assert re.fullmatch(TIME, product["createdAt"])
    assert seller.get(answer.headers["Location"]).get_json() == {"product": product}


@pytest.mark.parametrize("price", [0, 1, 99_999_999, "1000"])
def test_prices_from_zero_to_the_limit_are_accepted(seller: Person, price: Any) -> None:
    assert seller.product(price=price)["price"] == int(price)


def test_null_counts_as_leaving_a_field_out(seller: Person) -> None:
    product = seller.product(description=None, status=None, userId=None)

    assert (product["description"], product["status"]) == ("", "live")


@pytest.mark.parametrize("body", [None, {}, {"name": "Course"}, {"price": 1}, {"name": None, "price": 1}])
def test_a_missing_name_or_price_gets_the_message_of_the_old_system(seller: Person, body: Any) -> None:
    answer = seller.post("/api/products", body, headers={"Accept-Language": "ru"})

    assert answer.status_code == 400
    assert answer.get_json()["error"] == "Missing required fields"


def test_products_can_only_be_created_for_ones_own_account(
    seller: Person, rival: Person, stranger: Person
) -> None:
    body = {"name": "Course", "price": 1}

    assert stranger.post("/api/products", body).status_code == 401
    assert seller.post("/api/products", {**body, "userId": rival.id}).status_code == 403
    assert seller.post("/api/products", {**body, "userId": str(seller.id)}).status_code == 201


def test_a_sellers_products_are_listed_newest_first(seller: Person, rival: Person, stranger: Person) -> None:
    mine = [seller.product(name=f"Course {number}") for number in range(3)]
    rival.product()

    with assert_query_count(1):
        answer = stranger.get(f"/api/products?userId={seller.id}")

    assert answer.get_json() == {"products": mine[::-1], "nextCursor": None}
    assert "Link" not in answer.headers
    assert stranger.get("/api/products?userId=9223372036854775807").get_json()["products"] == []


def test_a_missing_user_id_gets_the_message_of_the_old_system(stranger: Person) -> None:
    answer = stranger.get("/api/products", headers={"Accept-Language": "ru"})

    assert answer.status_code == 400
    assert answer.get_json()["error"] == "userId required"


def test_a_page_has_200_products_by_default(seller: Person, stranger: Person) -> None:
    with database.connection_context():
        rows = [
            {"user": seller.id, "name": str(number), "price": 1, "currency": "USD"} for number in range(201)
        ]
        Product.insert_many(rows).execute()

    first = stranger.get(f"/api/products?userId={seller.id}")
    second = stranger.get(first.headers["Link"].removeprefix("<").partition(">")[0])
    small = stranger.get(f"/api/products?userId={seller.id}&limit=2")

    assert len(first.get_json()["products"]) == 200
    assert re.fullmatch(r'</api/products\?userId=\d+&cursor=[\w-]+>; rel="next"', first.headers["Link"])
    assert len(second.get_json()["products"]) == 1
    assert second.get_json()["nextCursor"] is None
    assert len(small.get_json()["products"]) == 2
    assert "limit=2" in small.headers["Link"]


def test_a_cursor_is_valid_only_for_its_list(seller: Person, rival: Person) -> None:
    for _ in range(2):
        seller.product()
    cursor = seller.get(f"/api/products?userId={seller.id}&limit=1").get_json()["nextCursor"]

    assert seller.get(f"/api/products?userId={seller.id}&limit=1&cursor={cursor}").status_code == 200
    for url in (f"/api/products?userId={rival.id}&cursor={cursor}", f"/api/orders?cursor={cursor}"):
        answer = seller.get(url)
        assert answer.status_code == 400
        assert [problem["code"] for problem in answer.get_json()["errors"]] == ["not_a_cursor"]


def test_a_modified_cursor_is_refused(seller: Person) -> None:
    for number in range(3):
        seller.product(name=str(number))
    query = {"userId": seller.id, "limit": 1}
    cursor = seller.get("/api/products", query_string=query).get_json()["nextCursor"]
    digest, moment, last = orjson.loads(urlsafe_b64decode(cursor + "=="))
    forged = [
        [digest, "2026-01-01T00:00:00+23:59", last],
        [digest, "0001-01-01T00:00:00+23:59", last],
        [digest, moment, f" {last}"],
        {digest: 1, moment: 2, str(last): 3},
    ]

    texts = [urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode() for parts in forged]
    for text in (*texts, f"{cursor}!!!", f"{cursor}=", f" {cursor}"):
        answer = seller.get("/api/products", query_string={**query, "cursor": text})
        assert answer.status_code == 400, text
        assert answer.get_json()["errors"][0]["code"] == "not_a_cursor"
    assert seller.get("/api/products", query_string={**query, "cursor": cursor}).status_code == 200


@given(cursor=st.text(max_size=300) | st.binary(max_size=100).map(lambda raw: raw.hex()))
def test_arbitrary_text_is_not_a_cursor(app: Flask, cursor: str) -> None:
    answer = Person(app).get("/api/products", query_string={"userId": "1", "cursor": cursor})

    assert answer.status_code == 400


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_neither_skip_nor_repeat_products_during_changes(app: Flask, size: int) -> None:
    seller = register(app, "pages@example.com")
    # Times that are equal, and times that differ by less than the API's milliseconds.
    with database.connection_context():
        moments = [f"2026-01-01T00:00:00.00000{number // 3}+00" for number in range(20)]
        rows = [
            {"user": seller.id, "name": moment, "price": 1, "currency": "USD", "created_at": moment}
            for moment in moments
        ]
        ids = [product.id for product in Product.written(Product.insert_many(rows))]
    gone = ids[::5]

    seen: list[int] = []
    path = f"/api/products?userId={seller.id}&limit={size}"
    while path:
        answer = seller.get(path)
        seen += [product["id"] for product in answer.get_json()["products"]]
        path = answer.headers.get("Link", "").removeprefix("<").partition(">")[0]
        seller.product(name="came meanwhile")
        if gone:
            seller.delete(f"/api/products/{gone.pop()}")

    assert len(seen) == len(set(seen))
    assert set(ids) - set(ids[::5]) <= set(seen) <= set(ids)
    assert seen == sorted(seen, reverse=True)


def test_only_the_owner_sees_a_draft(seller: Person, rival: Person, stranger: Person) -> None:
    draft = seller.product(status="draft")
    path = f"/api/products/{draft['id']}"

    assert seller.get(path).get_json() == {"product": draft}
    assert seller.get(f"/api/products?userId={seller.id}").get_json()["products"] == [draft]
    for other in (rival, stranger):
        assert other.get(path).status_code == 404
        assert other.get(f"/api/products?userId={seller.id}").get_json()["products"] == []


def test_only_the_given_fields_are_changed(seller: Person) -> None:
    product = seller.product(description="Old")
    path = f"/api/products/{product['id']}"

    with assert_query_count(2):
        answer = seller.patch(path, {"price": 5, "name": "New"})

    changed = answer.get_json()["product"]
    assert changed == {**product, "price": 5, "name": "New", "updatedAt": changed["updatedAt"]}
    assert changed["updatedAt"] >= product["updatedAt"]
    assert seller.get(f"/api/products?userId={seller.id}").get_json()["products"] == [changed]
    assert seller.patch(path, {}).get_json() == {"product": changed}
    assert seller.patch(path, {"description": None}).get_json() == {"product": changed}


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_changing_anothers_product_is_forbidden_and_anothers_draft_is_not_found(
    seller: Person, rival: Person, stranger: Person, method: str
) -> None:
    live = f"/api/products/{seller.product()['id']}"
    draft = f"/api/products/{seller.product(status='draft')['id']}"

    assert rival.request(method, live).status_code == 403
    assert rival.request(method, draft).status_code == 404
    assert rival.request(method, "/api/products/9223372036854775807").status_code == 404
    assert stranger.request(method, live).status_code == 401


def test_a_product_is_deleted(seller: Person) -> None:
    path = f"/api/products/{seller.product()['id']}"

    with assert_query_count(2):
        answer = seller.delete(path)

    assert (answer.status_code, answer.data) == (204, b"")
    assert "Content-Type" not in answer.headers
    assert seller.get(path).status_code == 404
    assert seller.delete(path).status_code == 404


@pytest.mark.parametrize(
    "reference", ["0", "-1", "1.5", "abc", "１", "9223372036854775808", "1" * 30, "01", "%00", "1%00", " 1"]
)
def test_an_invalid_id_is_not_found(seller: Person, reference: str) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        assert seller.request(method, f"/api/products/{reference}").status_code == 404
