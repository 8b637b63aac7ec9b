"""What staff can see and do with orders, products and users; every action is audited."""

import json
import re
import time
from collections.abc import Iterator

import pytest
from psycopg2.errors import IntegrityConstraintViolation

from nexus.config import Settings
from nexus.db import database
from nexus.listing.columns import HIDDEN
from tests.admin.conftest import Browser
from tests.factories import PASSWORD, Person, hashed
from tests.sql import query
from tests.studio.test_pages import QUERIES, heard

AUDIT = "SELECT actor, action, subject, key, details, request_id FROM audit ORDER BY id"


def shown(staff: Browser, path: str, *, language: str = "en") -> str:
    """The HTML of a page, which must take no more than QUERIES queries."""
    with heard() as statements:
        answer = staff.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200, path
    assert len(statements) <= QUERIES, (path, statements)
    return answer.text


def test_every_page_takes_few_queries_and_shows_no_secret(staff: Browser, seller: Person) -> None:
    product = seller.product()["id"]
    order = seller.order(product, email="One@example.com")["id"]
    pages = [
        *("/admin", "/admin/find?q=ONE@example.com", "/admin/find?q=course", f"/admin/find?q={product}"),
        *(f"/admin/tables/{name}" for name in ("orders", "products", "users", "sessions", "order_events")),
        *("/admin/tables/audit", "/admin/tables/orders?is.status=created&order=up"),
        *(f"/admin/tables/orders/{order}", f"/admin/tables/products/{product}"),
        f"/admin/tables/users/{seller.id}",
    ]
    found = "".join(shown(staff, path) for path in pages)

    assert order in shown(staff, "/admin/find?q=ONE@example.com")
    assert hashed(PASSWORD) not in found
    assert "$argon2" not in found
    for name, columns in HIDDEN.items():
        if name in ("users", "products"):
            assert not any(f">{column}<" in found for column in columns)
    for name in ("refresh_tokens", "resets", "idempotency_keys", "buckets", "migratehistory"):
        assert f"/admin/tables/{name}" not in found
        assert staff.get(f"/admin/tables/{name}").status_code == 404
    assert "csv" not in found.lower()


def test_moving_an_order_is_validated_and_audited(staff: Browser, seller: Person, settings: Settings) -> None:
    order = seller.order(seller.product()["id"])["id"]
    page, path = f"/admin/tables/orders/{order}", f"/admin/change/orders/{order}"
    token = staff.form(page, path)["form_token"]

    illegal = staff.post(path, data={"form_token": token, "status": "refunded"})
    legal = staff.post(path, data={"form_token": token, "status": "paid"}, headers={"X-Request-Id": "r-1"})
    again = staff.post(path, data={"form_token": token, "status": "paid"})

    assert (illegal.status_code, legal.status_code, again.status_code) == (409, 303, 303)
    assert "Nothing was changed" in illegal.text
    assert "There was nothing to change." in staff.get(again.location).text
    ((admin,),) = query(settings, "SELECT id FROM users WHERE role = 'admin'")
    by = f"staff:{admin}"
    events = query(settings, "SELECT actor, request_id FROM order_events WHERE \"to\" = 'paid'")
    assert events == [(by, "r-1")]
    assert query(settings, AUDIT) == [(by, "move_order", "orders", order, '{"status": "paid"}', "r-1")]
    assert by in shown(staff, legal.location)
    assert order in shown(staff, f"/admin/tables/audit?is.actor={by}")
    listed = seller.get(f"/api/orders/{order}/events").get_json()["events"]
    assert [event["actor"] for event in listed] == ["buyer", by]


def test_changing_a_product_is_validated_and_the_audit_has_old_and_new_values(
    staff: Browser, seller: Person, settings: Settings
) -> None:
    product = seller.product(name="Watercolours", price=700)["id"]
    page, path = f"/admin/tables/products/{product}", f"/admin/change/products/{product}"
    given = staff.form(page, path)
    given |= {"status": "draft"}

    assert staff.post(path, data={**given, "price": "-1"}).status_code == 400
    assert staff.post(path, data={**given, "price": "800"}).status_code == 303
    assert staff.post(path, data={**given, "price": "900"}).status_code == 412
    unedited = staff.post(path, data=staff.form(page, path))

    assert (unedited.status_code, unedited.location) == (303, f"{page}?unchanged=")
    assert query(settings, "SELECT name, price, status FROM products") == [("Watercolours", 800, "draft")]
    ((_, action, subject, key, details, _),) = query(settings, AUDIT)
    assert (action, subject, key) == ("change_product", "products", str(product))
    assert json.loads(details) == {"price": [700, 800], "status": ["live", "draft"]}


def test_staff_can_end_sessions_but_not_change_roles(
    staff: Browser, seller: Person, settings: Settings
) -> None:
    page, path = f"/admin/tables/users/{seller.id}", f"/admin/change/users/{seller.id}"
    token = staff.form(page, f"{path}/sessions")["form_token"]

    assert staff.post(f"{path}/sessions", data={"form_token": token}).status_code == 303
    assert seller.get("/api/auth/me").status_code == 401
    assert [row[1] for row in query(settings, AUDIT)] == ["end_sessions"]
    assert 'name="role"' not in staff.get(page).text
    answer = staff.post(f"{path}/role", data={"form_token": token, "role": "admin"})
    assert answer.status_code == 404
    assert query(settings, f"SELECT role FROM users WHERE id = {seller.id}") == [("seller",)]


def test_ending_sessions_where_there_are_none_is_neither_audited_nor_logged(
    staff: Browser, seller: Person, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    path = f"/admin/change/users/{seller.id}/sessions"
    fields = staff.form(f"/admin/tables/users/{seller.id}", path)

    with caplog.at_level("INFO"):
        first, again = (shown(staff, staff.post(path, data=fields).location) for _ in range(2))

    assert [row[4] for row in query(settings, AUDIT)] == ['{"sessions": 1}']
    assert caplog.text.count("session_ended") == 1
    for page, note in ((first, "Saved."), (again, "There was nothing to change.")):
        assert re.findall(r'role="status">(.*?)</p>', page) == [note]


@pytest.mark.parametrize("change", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"])
def test_audit_rows_cannot_be_changed_or_deleted(
    staff: Browser, seller: Person, settings: Settings, change: str
) -> None:
    path = f"/admin/change/users/{seller.id}/sessions"
    staff.post(path, data=staff.form(f"/admin/tables/users/{seller.id}", path))

    with pytest.raises(IntegrityConstraintViolation):
        query(settings, change)
    assert len(query(settings, AUDIT)) == 1


@pytest.mark.parametrize(
    ("language", "note"), [("en", "Only the latest 50 are shown."), ("ru", "Показаны только последние 50.")]
)
def test_a_row_shows_its_latest_audit_entries_and_says_whether_there_are_more(
    staff: Browser, seller: Person, settings: Settings, language: str, note: str
) -> None:
    def audited(first: int, last: int) -> str:
        query(
            settings,
            "INSERT INTO audit (actor, action, subject, key, details)"
            f" SELECT 'operator', 'end_sessions', 'users', '{seller.id}', 'number ' || n"
            f" FROM generate_series({first}, {last}) n",
        )
        return shown(staff, f"/admin/tables/users/{seller.id}", language=language)

    whole, latest = audited(1, 50), audited(51, 60)

    assert re.findall(r">number (\d+)<", whole) == [str(number) for number in range(1, 51)]
    assert re.findall(r">number (\d+)<", latest) == [str(number) for number in range(11, 61)]
    assert (note in whole, note in latest) == (False, True)


def test_an_action_that_cannot_be_audited_is_rolled_back(
    staff: Browser, seller: Person, settings: Settings
) -> None:
    order = seller.order(seller.product()["id"])["id"]
    path = f"/admin/change/orders/{order}"
    fields = {**staff.form(f"/admin/tables/orders/{order}", path), "status": "paid"}
    query(settings, "ALTER TABLE audit ADD CONSTRAINT refusing CHECK (false) NOT VALID")
    try:
        assert staff.post(path, data=fields).status_code == 500
    finally:
        query(settings, "ALTER TABLE audit DROP CONSTRAINT refusing")

    assert query(settings, "SELECT status FROM orders") == [("created",)]
    assert query(settings, "SELECT count(*) FROM order_events") == [(1,)]


@pytest.fixture(params=[("Asia/Tokyo", "UTC"), ("UTC", "America/New_York")])
def zones(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine is in one time zone, and the database's sessions are in another."""
    for name, zone in zip(("TZ", "PGTZ"), request.param, strict=True):
        monkeypatch.setenv(name, zone)
    time.tzset()
    database.renew()
    yield
    monkeypatch.undo()
    time.tzset()
    database.renew()


@pytest.mark.usefixtures("zones")
def test_orders_are_listed_newest_first_across_pages(
    staff: Browser, seller: Person, settings: Settings
) -> None:
    product = seller.product()["id"]
    query(
        settings,
        "INSERT INTO orders (seller_id, product_id, product_name, email, amount, currency, created_at) SELECT"
        f" {seller.id}, {product}, 'x', n || '@example.com', 1, 'USD', now() - n * interval '1 h'"
        " FROM generate_series(1, 60) n",
    )
    first = shown(staff, "/admin/tables/orders")
    (following,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = shown(staff, following.replace("&amp;", "&"))

    listed = re.findall(r">(\d+)@example\.com<", first + second)
    assert listed == [str(n) for n in range(1, 61)]


def test_the_home_page_shows_revenue_by_day_and_currency(
    staff: Browser, seller: Person, settings: Settings
) -> None:
    query(
        settings,
        "INSERT INTO orders (seller_id, product_name, email, status, amount, currency, created_at)"
        f" SELECT {seller.id}, 'x', 'a@example.com', status, amount, currency, now() - days * interval '1 d'"
        " FROM (VALUES ('paid', 1000, 'USD', 0), ('paid', 250, 'USD', 3), ('refunded', 7, 'USD', 3),"
        " ('paid', 5, 'JPY', 1), ('paid', 1000, 'USD', 20), ('paid', 9, 'USD', 75))"
        " AS sold (status, amount, currency, days)",
    )
    page = shown(staff, "/admin")

    assert re.findall(r"<strong>([\d,.]+ \w+)</strong>", page) == ["22.50 USD", "5 JPY"]
    assert "+25 %" in page
    assert page.count("<svg class") == 2
    usd = page.partition("<tbody>")[2].partition("</tbody>")[0]
    days = re.findall(r'<td class="number">(\d+\.\d\d)</td><td class="number">(\d+)</td>', usd)
    assert len(days) == 28
    assert [days[0], days[1], days[3]] == [("10.00", "1"), ("0.00", "0"), ("2.50", "2")]
