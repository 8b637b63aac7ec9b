"""The three files of the old system: nothing is lost, and the shop keeps working."""

from pathlib import Path

import pytest
from flask import Flask

from nexus.config import Settings
from tests.factories import Person
from tests.sql import query
from tests.transfer.conftest import Run, clear

LEGACY = Path(__file__).parent.parent / "data" / "legacy"
FILES = sorted(LEGACY.glob("*.json"))
PASSWORDS = {
    "test@test.com": "password123",
    "anna@example.com": "correct horse battery",
    "Boris.K@Example.com": "пароль-с-юникодом",
    "o'neil+shop@example.co.uk": "p@ss w0rd!",
}
#: All content of the old files and what derives from it, without the import times of users and products.
CONTENT = """
SELECT
    (SELECT array_agg(u::text ORDER BY id) FROM (SELECT id, email, password FROM users) u),
    (SELECT array_agg(p::text ORDER BY id) FROM (
        SELECT id, user_id, name, description, price, currency, status FROM products
    ) p),
    (SELECT array_agg(o::text ORDER BY id) FROM orders o)
"""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_users_of_the_old_system_can_sign_in_and_see_their_orders(
    app: Flask, settings: Settings, file: Path
) -> None:
    run = app.test_cli_runner().invoke(args=["db", "import", str(file)])
    assert run.exit_code == 0, run.output

    people = {}
    for email, password in PASSWORDS.items():
        answer = Person(app).post("/api/auth/login", {"email": email, "password": password})
        assert answer.status_code == 200, email
        people[email] = Person(app, token=answer.get_json()["token"])
    answer = people["test@test.com"].get("/api/orders/ord_1760000000000")
    assert answer.status_code == 200
    order = answer.get_json()["order"]
    assert order["createdAt"] == "2025-10-10T09:00:33.000Z"
    assert (order["productId"], order["productName"]) == (2, "My Second Product")
    assert people["test@test.com"].get(f"/api/orders/{order['id']}").get_json()["order"] == order
    # New ids follow those of the old system.
    assert people["anna@example.com"].product()["id"] > 12


def test_the_three_layouts_give_the_same_rows_and_importing_again_changes_nothing(
    shop: Settings, flask: Run
) -> None:
    contents = []
    for file in FILES:
        clear(shop)
        first = flask("db", "import", file)
        content = query(shop, CONTENT)
        second = flask("db", "import", file)

        assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
        assert second.stdout.endswith("nothing to write: all rows are already there\n")
        assert query(shop, CONTENT) == content
        contents.append(content)
    assert len(contents) == 3
    assert contents[0] == contents[1] == contents[2]
    assert [flask("db", "verify", file).exit_code for file in FILES] == [0, 0, 0]
