"""Product search: what is found, in which order, by whom, and that any text can be searched for."""

from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playhouse.test_utils import assert_query_count

from nexus.db import database
from nexus.models.catalog import Product
from tests.factories import Person, register

#: Texts to search for, each with the name that it finds.
FOUND = [
    ("курс", "Курсы фотографии"),
    ("курсами", "Курсы фотографии"),
    ("фотографиями курсов", "Курсы фотографии"),
    ("КУРСЫ", "Курсы фотографии"),
    ("курс фото", "Курсы фотографии"),
    ("фото", "Курсы фотографии"),
    ("photos", "A photo of mine"),
    ("mine photo", "A photo of mine"),
    ("photo of the mine", "A photo of mine"),
    ("курс photoshop", "Курсы Photoshop"),
    ("e-mail", "Marketing by e-mail"),
    ("mail", "Marketing by e-mail"),
    ("e-ma", "Marketing by e-mail"),
    ("of", "Offers of the day"),
    ("и", "Игры и задачи"),
    ("o'neil", "The O'Neil \\ method"),
    ("\\ o'neil", "The O'Neil \\ method"),
    ("example.com/a?b=1", "See https://example.com/a?b=1"),
    ("写真講座", "写真講座"),
    ("写真", "写真講座"),
    ("100", "100500 шрифтов"),
    ("  курс\t\n фото\u00a0", "Курсы фотографии"),
    ("курс - фото", "Курсы фотографии"),
    ("курс в", "Курсы в подарок"),
    ("проект", "Курс «Проект»"),
    ("курсы проекта", "Курс «Проект»"),
    ("«Проект»", "Курс «Проект»"),
    ("drawing all", "“Drawing” for all"),
    ("видео", "Фото–видео"),
    ("html css", "HTML/CSS basics"),
    ("js", "Node.js course"),
    ("covid 19", "COVID-19 masks"),
    ("2024 photoshop", "Photoshop-2024"),
    ("next", "The end.Next sentence"),
    ("c++", "C++ at last"),
    ("python", "🔥Python🔥"),
]
#: Texts to search for, each with a name that it does not find.
MISSED = [
    ("фото курс", "Курсы фотографии"),
    ("урс", "Курсы фотографии"),
    ("курс живописи", "Курсы фотографии"),
    ("the", "A photo of mine"),
    ("курс в", "Курсы фотографии"),
    ("курс | живопись", "Живопись"),
    ("!живопись", "Курс"),
    ("«»", "Курс «»"),
]
#: Punctuation that people write between words, with and without spaces.
SIGNS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~«»“”„‘’–—…·№•€₽™©×÷🎉\u00a0 "
words = st.text("абвгжяabcdexyzАЯZ0129", min_size=1, max_size=6)
#: Text with a special meaning for the query parser, the text parser or SQL.
HOSTILE = [
    *(
        "'",
        '"',
        "\\",
        "\\'",
        "''",
        "&",
        "a & ",
        "a | b",
        "!a",
        "<->",
        "a <2> b",
        ":*",
        "a:*",
        "a:ABCD",
        "(",
        ")",
        "*",
    ),
    *(
        "%",
        "%s",
        "%(words)s",
        "{}",
        "{a",
        "NULL",
        "';--",
        "-",
        "--",
        "$1",
        "\u0001",
        "a\u2028",
        "\ufeff",
        "\U0010ffff",
    ),
    *(
        "и",
        "the",
        "и не на the of",
        "🎉",
        "👩‍👩‍👧",
        "<b>",
        "&amp;",
        "a@b.c",
        "http://a.b/c?d=e",
        "/a/b/c",
        "1e309",
    ),
    *(
        "-1",
        "a" * 3000,
        "ы" * 3000,
        "a " * 10_000,
        "a-" * 10_000,
        "слово " * 3333,
        "😀" * 20_000,
        "'" * 20_000,
    ),
    " ".join("-".join("abcdefghijklmnopqrstuvwxyz") for _ in range(700)),
    " ".join(f"и{n}" for n in range(3000)),
    "/".join("abc" for _ in range(5000)),
    ".".join("abc" for _ in range(5000)),
]


def names(person: Person, text: str, **query: Any) -> list[str]:
    answer = person.get("/api/products", query_string={"q": text, **query})
    assert answer.status_code == 200, answer.text
    return [product["name"] for product in answer.get_json()["products"]]


@pytest.mark.parametrize(("text", "name"), FOUND)
def test_a_product_is_found_by_the_words_of_its_name(seller: Person, text: str, name: str) -> None:
    seller.product(name="Something else", description="entirely")
    seller.product(name=name)

    assert names(seller, text) == [name]
    assert names(seller, text, sort="price") == [name]


@pytest.mark.parametrize(("text", "name"), MISSED)
def test_a_product_is_not_found_by_other_words(seller: Person, text: str, name: str) -> None:
    seller.product(name=name)

    assert names(seller, text) == []
    assert names(seller, text, sort="price") == []


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:20])
def test_text_with_special_meanings_can_be_searched_for(seller: Person, text: str) -> None:
    seller.product(name=text[:255], description=text[:20_000])

    # The text may have no word in it; `names` sees that the response is a 200.
    assert set(names(seller, text)) == set(names(seller, text, sort="-name"))


@pytest.fixture
def anyone(app: Flask) -> Person:
    """Somebody who searches for all kinds of text."""
    one = register(app, "anyone@example.com")
    one.product(name="Курс", description="a b c")
    return one


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60)
)
def test_any_text_can_be_searched_for(anyone: Person, text: str) -> None:
    if text.strip():
        names(anyone, text)
        names(anyone, f"к'{text}\\", sort="createdAt")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(data=st.data(), said=st.lists(words, min_size=1, max_size=5))
def test_words_are_found_whatever_punctuation_separates_them(
    anyone: Person, data: st.DataObject, said: list[str]
) -> None:
    signs = st.text(SIGNS, min_size=1, max_size=3)
    name = "".join(data.draw(signs) + word for word in said) + data.draw(signs)
    product = anyone.product(name=name)
    asked = data.draw(signs).join(data.draw(st.permutations(said)))

    for text in (*said, asked):
        assert name in names(anyone, text, minPrice=product["price"], sort="-createdAt", limit=1)


def test_matches_in_the_name_rank_above_matches_in_the_description(seller: Person) -> None:
    for name, description in [("Курсы", ""), ("Набор", "курсы, курсы"), ("Курс", "иконки"), ("Набор", "")]:
        seller.product(name=name, description=description)

    assert names(seller, "курс") == ["Курсы", "Курс", "Набор"]
    assert names(seller, "курсы") == ["Курсы", "Курс", "Набор"]


def test_a_search_combines_with_filters_and_sorts(seller: Person, rival: Person) -> None:
    mine = [seller.product(name=f"Курс {number}", price=number)["name"] for number in range(5)]
    rival.product(name="Курс 3", price=3)

    with assert_query_count(2):
        found = names(seller, "курс", userId=seller.id)
    assert sorted(found) == mine
    with assert_query_count(2):
        found = names(seller, "курс", userId=seller.id, sort="-price", minPrice=1, maxPrice=3)
    assert found == mine[3:0:-1]
    assert sorted(names(seller, "курс", minPrice=3)) == ["Курс 3", "Курс 3", "Курс 4"]
    assert names(seller, "курс", sort="createdAt", maxPrice=2) == mine[:3]


def test_only_the_owner_finds_a_draft(seller: Person, rival: Person, stranger: Person) -> None:
    seller.product(name="Курс", status="draft")

    assert names(seller, "курс") == names(seller, "курс", sort="name") == ["Курс"]
    for other in (rival, stranger):
        assert names(other, "курс") == names(other, "курс", sort="name") == []
        assert names(other, "курс", userId=seller.id) == []


def test_a_changed_product_is_found_only_by_its_new_words(seller: Person) -> None:
    product = seller.product(name="Курс")
    path = f"/api/products/{product['id']}"

    same = seller.patch(path, {"name": "Курс"}).get_json()["product"]
    assert same == product
    seller.patch(path, {"name": "Набор", "description": "Иконки"})

    assert names(seller, "курс") == []
    assert names(seller, "иконка") == ["Набор"]


@pytest.mark.parametrize("blank", ["", " ", "\t\u00a0\n"])
def test_a_blank_query_is_not_a_search(seller: Person, stranger: Person, blank: str) -> None:
    for number in range(51):
        seller.product(name=f"Курс {number}")

    answer = stranger.get("/api/products", query_string={"q": blank}, headers={"Accept-Language": "ru"})
    assert (answer.status_code, answer.get_json()["error"]) == (400, "userId required")
    assert len(names(stranger, blank, userId=seller.id)) == 51
    assert len(names(stranger, "курс", userId=seller.id)) == len(names(stranger, "курс")) == 50
    assert len(names(stranger, "курс", limit=51)) == 51


def test_all_invalid_search_parameters_are_reported(stranger: Person) -> None:
    answer = stranger.get("/api/products?q=%00&sort=best&limit=0&cursor=%00&userId=x")

    assert [problem["field"] for problem in answer.get_json()["errors"]] == [
        "userId",
        "q",
        "sort",
        "limit",
        "cursor",
    ]
    absent = stranger.get("/api/products?q=+&limit=0").get_json()
    assert absent["code"] == "user_id_required"
    assert [problem["field"] for problem in absent["errors"]] == ["userId", "limit"]


def test_imported_text_of_any_length_and_kind_can_be_stored(seller: Person) -> None:
    han = [chr(0x20000 + number) for number in range(40)]
    worst = " ".join("-".join(a + b * 50 for b in han[:8]) for a in han)
    with database.connection_context():
        for text in (worst * 10, "курс " * 100_000, " ".join(map(str, range(200_000))), "я" * 1_000_000):
            Product.insert(user=seller.id, name=text, description=text, price=1, currency="USD").execute()

    assert len(names(seller, "курсом")) == 1
