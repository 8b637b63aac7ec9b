"""Versions of products: unchanged ones are not sent again, and no update is lost."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from playhouse.test_utils import assert_query_count

from tests.factories import Person


def test_an_unchanged_product_is_not_sent_again(seller: Person, stranger: Person) -> None:
    path = f"/api/products/{seller.product()['id']}"
    tag = stranger.get(path).headers["ETag"]

    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        with assert_query_count(1):
            answer = stranger.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", tag)
    assert stranger.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    seller.patch(path, {"price": 7})
    assert stranger.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_if_none_match_does_not_disclose_a_draft(seller: Person, stranger: Person) -> None:
    path = f"/api/products/{seller.product(status='draft')['id']}"

    assert stranger.get(path, headers={"If-None-Match": "*"}).status_code == 404


def test_every_response_with_a_product_has_its_etag(seller: Person) -> None:
    made = seller.post("/api/products", {"name": "Course", "price": 1})
    path = made.headers["Location"]
    changed = seller.patch(path, {"price": 2})

    assert made.headers["ETag"] != changed.headers["ETag"] == seller.get(path).headers["ETag"]
    assert seller.patch(path, {"price": 2}).headers["ETag"] == changed.headers["ETag"]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_changing_another_version_is_refused(seller: Person, rival: Person, method: str) -> None:
    product = seller.product()
    path = f"/api/products/{product['id']}"
    old = seller.get(path).headers["ETag"]
    new = seller.patch(path, {"price": 2}).headers["ETag"]
    body = {"price": 3} if method == "PATCH" else None

    for tags in (old, f"W/{new}", '"nonsense"', '"1-99999999999999999"', '""', ""):
        answer = seller.request(method, path, json=body, headers={"If-Match": tags})
        assert (answer.status_code, answer.get_json()["code"]) == (412, "precondition_failed"), tags
    assert rival.request(method, path, json=body, headers={"If-Match": new}).status_code == 403
    assert seller.get(path).get_json()["product"]["price"] == 2
    with assert_query_count(2):
        answer = seller.request(method, path, json=body, headers={"If-Match": f"{old}, {new}"})
    assert answer.status_code in (200, 204)


def test_if_match_with_a_star_matches_any_version(seller: Person) -> None:
    path = f"/api/products/{seller.product()['id']}"

    assert seller.patch(path, {"price": 2}, headers={"If-Match": "*"}).status_code == 200
    assert seller.patch(path, {}, headers={"If-Match": '"1-1"'}).status_code == 412


def test_concurrent_edits_of_one_version_have_one_winner(app: Flask, seller: Person) -> None:
    path = f"/api/products/{seller.product()['id']}"
    tag = seller.get(path).headers["ETag"]

    def save(price: int) -> int:
        tab = Person(app, token=seller.token)
        return tab.patch(path, {"price": price}, headers={"If-Match": tag}).status_code

    with ThreadPoolExecutor(8) as tabs:
        assert sorted(tabs.map(save, range(1, 9))) == [200] + [412] * 7
