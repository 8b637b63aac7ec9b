"""`flask products`: listing and showing products as an operator."""

import json
from collections.abc import Callable

import pytest
from click.testing import Result
from flask import Flask

from tests.factories import Person

Run = Callable[..., Result]


@pytest.fixture
def flask(app: Flask) -> Run:
    """Run a `flask` command on the database of the test run."""
    return lambda *words: app.test_cli_runner().invoke(args=["products", *words])


def test_products_are_listed_newest_first_including_drafts(flask: Run, seller: Person, rival: Person) -> None:
    live, draft = seller.product(name="Курс\n1"), seller.product(status="draft")
    other = rival.product()

    def listed(*words: str) -> object:
        return json.loads(flask("list", *words, "--json").stdout)["products"]

    assert listed() == [other, draft, live]
    assert listed("--user", str(seller.id)) == [draft, live]
    assert listed("--user", str(seller.id), "--status", "live") == [live]
    assert listed("--status", "draft") == [draft]
    assert listed("--limit", "2") == [other, draft]
    # One line per product, even if its name contains a newline.
    assert flask("list").stdout.splitlines()[2] == (
        f"{live['id']:>8}  {seller.id:>8}  live       1000 USD  'Курс\\n1'"
    )


def test_an_operator_sees_a_product_as_its_seller_does(flask: Run, seller: Person) -> None:
    draft = seller.product(status="draft")

    shown = json.loads(flask("show", str(draft["id"]), "--json").stdout)
    assert shown == seller.get(f"/api/products/{draft['id']}").get_json()
    assert "status      draft\n" in flask("show", str(draft["id"])).stdout


def test_control_characters_in_a_description_are_escaped(flask: Run, seller: Person) -> None:
    product = seller.product(description="\x1b]0;pwn\x07\nstatus      live")["id"]

    shown = flask("show", str(product)).stdout

    assert "description \\x1b]0;pwn\\x07\\nstatus      live\n" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("show", "9223372036854775807"), 1),
        (("show", "9223372036854775808"), 2),
        (("show", "0"), 2),
        (("list", "--limit", "0"), 2),
        (("list", "--limit", "9223372036854775808"), 2),
        (("list", "--status", "gone"), 2),
    ],
)
def test_unknown_products_and_invalid_arguments_are_reported_without_a_traceback(
    flask: Run, words: tuple[str, ...], code: int
) -> None:
    run = flask(*words)

    assert run.exit_code == code
    assert run.stderr.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in run.stderr
