"""What browsers and caches see of the pages, tested without a browser."""

import gzip
import re

import pytest

from nexus.errors import family
from tests.events import events
from tests.factories import Person

PAGES = ("/docs", "/docs/errors")
LOADED = re.compile(r'(?:src|href)="(/assets/[^"]+)"')


def loaded(person: Person) -> list[str]:
    urls = sorted({url for page in PAGES for url in LOADED.findall(person.get(page).text)})
    assert urls
    return urls


@pytest.mark.parametrize("path", PAGES)
def test_pages_can_run_only_our_own_scripts(stranger: Person, path: str) -> None:
    answer = stranger.get(path)
    policy = dict(rule.split(" ", 1) for rule in answer.headers["Content-Security-Policy"].split("; "))

    assert policy.pop("img-src") == "'self' data:"
    assert {*policy.values()} == {"'none'", "'self'"}
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=|https?://", answer.text)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", PAGES)
def test_an_unchanged_page_is_revalidated_and_not_sent_again(stranger: Person, path: str) -> None:
    first = stranger.get(path)
    again = stranger.get(path, headers={"If-None-Match": first.headers["ETag"]})
    russian = stranger.get(path, headers={"Accept-Language": "ru", "If-None-Match": first.headers["ETag"]})

    assert first.headers["Cache-Control"] == "private, no-cache"
    assert (again.status_code, again.data) == (304, b"")
    assert (russian.status_code, russian.headers["Content-Language"]) == (200, "ru")
    assert "Accept-Language" in first.vary


def test_assets_are_cached_forever_and_compressed(stranger: Person) -> None:
    for url in loaded(stranger):
        plain = stranger.get(url)
        packed = stranger.get(url, headers={"Accept-Encoding": "gzip, br"})

        assert plain.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "Content-Encoding" not in plain.headers
        assert gzip.decompress(packed.data) == plain.data
        assert "Accept-Encoding" in packed.vary
        assert (
            plain.mimetype
            == {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}[url.rpartition(".")[2]]
        )


def test_an_asset_with_a_wrong_hash_in_its_name_is_not_found(stranger: Person) -> None:
    for url in loaded(stranger):
        stem, _, ending = url.rpartition(".")
        for wrong in (
            f"{stem[:-1]}x.{ending}",
            f"{stem.rpartition('.')[0]}.{ending}",
            "/assets/..%2fdocs.py",
        ):
            answer = stranger.get(wrong)
            assert (answer.status_code, answer.get_json()["code"]) == (404, "not_found"), wrong


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_error_code_has_its_section_on_the_errors_page(stranger: Person, language: str) -> None:
    text = stranger.get("/docs/errors", headers={"Accept-Language": language}).text

    for error in family():
        assert text.count(f'<section class="panel" id="{error.code.replace("_", "-")}">') == 1
    assert f'<html lang="{language}">' in text


def test_loading_the_pages_takes_no_database_query(
    stranger: Person, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [*PAGES, *loaded(stranger), "/api/openapi.json"]
    caplog.clear()
    for path in paths:
        assert stranger.get(path).status_code == 200, path

    # A request without a query takes no connection.
    assert [event["queries"] for event in events(caplog, "nexus.request")] == [0] * len(paths)


def test_the_root_redirects_to_the_docs(stranger: Person) -> None:
    answer = stranger.get("/")

    assert (answer.status_code, answer.location) == (302, "/docs")
