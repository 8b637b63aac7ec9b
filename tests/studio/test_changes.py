"""What can be changed with `--write`, and what cannot be changed at all."""

import json
import re
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from nexus.config import Settings
from nexus.studio.door import Door
from tests.api.test_races import behind
from tests.factories import Person
from tests.sql import query
from tests.studio.conftest import HOST, PORT, studio


@pytest.fixture
def writer(app: Flask, settings: Settings) -> FlaskClient:
    """A client that has opened the link of a studio started with `--write`."""
    door = Door(PORT)
    client = studio(settings, door, write=True)
    assert client.get(door.link).status_code == 303
    return client


def form(client: FlaskClient, path: str) -> dict[str, str]:
    """The fields of the first POST form on a page, with their current values."""
    page = client.get(path).text.partition('method="post"')[2].partition("</form>")[0]
    fields = dict(re.findall(r'<input (?:type="hidden" )?name="(\w+)" value="([^"]*)"', page))
    fields |= dict(re.findall(r'<textarea name="(\w+)"[^>]*>\n(.*?)</textarea>', page, re.S))
    for name, options in re.findall(r'<select name="(\w+)">(.*?)</select>', page, re.S):
        (fields[name],) = re.findall(r"<option selected>(\w+)", options)
    return {name: unescape(value) for name, value in fields.items()}


def send(client: FlaskClient, path: str, **fields: str) -> TestResponse:
    """Submit a form as a browser does from the studio's own page."""
    return client.post(path, data=fields, headers={"Origin": f"http://{HOST}"})


def problem(answer: TestResponse) -> str:
    """The reason that the page gives for not changing anything."""
    assert "Nothing was changed" in answer.text
    (found,) = re.findall(r"<ul><li>(.*?)</li></ul>", answer.text.partition('role="alert"')[2], re.S)
    return unescape(found)


def test_only_allowed_status_changes_of_an_order_are_accepted(
    writer: FlaskClient, seller: Person, settings: Settings
) -> None:
    order = seller.order(seller.product()["id"])["id"]
    page, path = f"/tables/orders/{order}", f"/change/orders/{order}"
    token = form(writer, page)["form_token"]

    assert re.findall(r'name="status" value="(\w+)"', writer.get(page).text) == [
        "processing",
        "paid",
        "cancelled",
    ]
    illegal = send(writer, path, form_token=token, status="refunded")
    legal = send(writer, path, form_token=token, status="paid")

    assert (illegal.status_code, problem(illegal)) == (409, "The order cannot move to this status.")
    assert (legal.status_code, legal.location) == (303, f"{page}?saved=")
    assert "Saved." in writer.get(legal.location).text
    assert "Saved." not in writer.get(page).text
    assert send(writer, path, form_token=token, status="created").status_code == 409
    for unknown in ("", "sold", "paid\0"):
        assert send(writer, path, form_token=token, status=unknown).status_code == 400
    (event,) = query(settings, "SELECT actor, request_id FROM order_events WHERE \"to\" = 'paid'")
    assert event[0] == "operator"
    assert re.fullmatch("[0-9a-f]{32}", event[1])


def test_only_the_edited_fields_of_a_product_change(
    writer: FlaskClient, seller: Person, settings: Settings
) -> None:
    product = seller.product(price=700)["id"]
    # Imported text may be longer than a form accepts, and have line breaks that browsers normalise.
    query(settings, "UPDATE products SET name = repeat('x', 300), description = E'\\na\\nb\\r\\nc'")
    page, path = f"/tables/products/{product}", f"/change/products/{product}"
    given = form(writer, page)
    given["description"] = given["description"].replace("\r\n", "\n").replace("\n", "\r\n")

    assert send(writer, path, **{**given, "price": "800"}).status_code == 303

    assert query(settings, "SELECT length(name), description, price, status FROM products") == [
        (300, "\na\nb\r\nc", 800, "live")
    ]
    late = send(writer, path, **{**given, "price": "900"})
    assert (late.status_code, query(settings, "SELECT price FROM products")) == (412, [(800,)])


def test_a_product_is_not_changed_to_what_the_api_would_refuse(
    writer: FlaskClient, seller: Person, settings: Settings
) -> None:
    product = seller.product(price=700)["id"]
    given = form(writer, f"/tables/products/{product}")

    for wrong, says in (
        ({"price": "-1"}, "price must be 0 or more"),
        ({"price": "cheap"}, "price must be a whole number"),
        ({"name": ""}, "name needs 1 or more characters"),
        ({"status": "sold"}, "status must be one of: live, draft"),
    ):
        typed = {**given, "description": "Written <anew>", **wrong}
        answer = send(writer, f"/change/products/{product}", **typed)
        assert answer.status_code == 400
        assert problem(answer) == says
        # The form keeps the valid input, so that nobody has to type it again.
        assert "Written &lt;anew&gt;</textarea>" in answer.text
    for version in ("", "yesterday", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"):
        assert send(writer, f"/change/products/{product}", **{**given, "version": version}).status_code == 400
    assert query(settings, "SELECT name, price, status FROM products") == [("Course", 700, "live")]


def test_a_refused_product_is_explained_in_russian(writer: FlaskClient, seller: Person) -> None:
    product = seller.product()["id"]
    given = form(writer, f"/tables/products/{product}")

    answer = writer.post(
        f"/change/products/{product}",
        data={**given, "price": "cheap"},
        headers={"Origin": f"http://{HOST}", "Accept-Language": "ru"},
    )

    assert "<li>price: должно быть целым числом</li>" in answer.text


def test_a_corrected_form_does_not_overwrite_a_concurrent_change(
    writer: FlaskClient, seller: Person, settings: Settings
) -> None:
    product = seller.product(name="Course", price=700)["id"]
    page, path = f"/tables/products/{product}", f"/change/products/{product}"
    given = form(writer, page)

    assert seller.patch(f"/api/products/{product}", {"name": "Better course"}).status_code == 200
    refused = send(writer, path, **{**given, "price": "cheap"})
    (version,) = re.findall(r'name="version" value="([^"]*)"', refused.text)
    corrected = send(writer, path, **{**given, "version": unescape(version), "price": "800"})

    assert (refused.status_code, corrected.status_code) == (400, 412)
    assert query(settings, "SELECT name, price FROM products") == [("Better course", 700)]


def test_a_users_role_is_preselected_and_can_be_changed(
    writer: FlaskClient, seller: Person, settings: Settings
) -> None:
    query(settings, "UPDATE users SET role = 'admin'")
    page, path = f"/tables/users/{seller.id}", f"/change/users/{seller.id}"
    given = form(writer, page)

    assert send(writer, f"{path}/role", **given).location == f"{page}?unchanged="
    assert query(settings, "SELECT role FROM users") == [("admin",)]
    assert send(writer, f"{path}/role", **{**given, "role": "owner"}).status_code == 400
    assert send(writer, f"{path}/role", **{**given, "role": "seller"}).location == f"{page}?saved="
    assert query(settings, "SELECT role FROM users") == [("seller",)]
    assert send(writer, f"{path}/sessions", form_token=given["form_token"]).status_code == 303
    assert seller.get("/api/auth/me").status_code == 401


@pytest.mark.parametrize(("role", "audited"), [("admin", []), ("seller", [{"role": ["admin", "seller"]}])])
def test_of_two_changes_of_a_role_the_second_is_audited_with_what_the_first_left(
    writer: FlaskClient, seller: Person, settings: Settings, role: str, audited: list[object]
) -> None:
    given = {**form(writer, f"/tables/users/{seller.id}"), "role": role}

    answer = behind(
        settings,
        "UPDATE users SET role = 'admin' WHERE id = %s",
        seller.id,
        lambda: send(writer, f"/change/users/{seller.id}/role", **given),
    )

    assert answer.status_code == 303
    assert query(settings, "SELECT role FROM users") == [(role,)]
    assert [json.loads(details) for (details,) in query(settings, "SELECT details FROM audit")] == audited


def test_the_role_of_an_unknown_account_cannot_be_changed(writer: FlaskClient, seller: Person) -> None:
    given = form(writer, f"/tables/users/{seller.id}")

    assert send(writer, f"/change/users/{seller.id + 1}/role", **given).status_code == 404


def test_a_forged_form_changes_nothing(writer: FlaskClient, seller: Person, settings: Settings) -> None:
    order = seller.order(seller.product()["id"])["id"]
    path = f"/change/orders/{order}"
    token = form(writer, f"/tables/orders/{order}")["form_token"]

    for fields, origin in (
        ({"status": "paid"}, f"http://{HOST}"),
        ({"status": "paid", "form_token": "é"}, f"http://{HOST}"),
        ({"status": "paid", "form_token": token}, "http://127.0.0.1:8000"),
    ):
        answer = writer.post(path, data=fields, headers={"Origin": origin})
        assert answer.status_code == 403
    assert query(settings, "SELECT status FROM orders") == [("created",)]


def test_a_read_only_studio_shows_and_accepts_no_forms(
    reader: FlaskClient, seller: Person, settings: Settings
) -> None:
    order = seller.order(seller.product()["id"])["id"]
    token = reader.application.extensions["door"].form_token

    for path in (f"/tables/orders/{order}", f"/tables/users/{seller.id}"):
        assert 'method="post"' not in reader.get(path).text
    assert send(reader, f"/change/orders/{order}", form_token=token, status="paid").status_code == 404
    assert query(settings, "SELECT status FROM orders") == [("created",)]
