"""Access to the studio: by its link, which works once, and only at its own address."""

import pytest
from flask import Flask

from nexus.config import Settings
from nexus.studio.door import Door
from tests.studio.conftest import PORT, studio


def test_the_link_works_once_and_then_only_the_cookie_does(app: Flask, settings: Settings) -> None:
    door = Door(PORT)
    first, second = studio(settings, door), studio(settings, door)
    link = door.link

    assert first.get("/").status_code == 403
    assert first.get("/open?key=é").status_code == 403
    assert second.head(link).status_code == 403
    entered = first.get(link)
    assert (entered.status_code, entered.location) == (303, "/")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} < set(entered.headers["Set-Cookie"].split("; "))
    assert first.get("/").status_code == 200
    refused = second.get(link)
    assert refused.status_code == 403
    assert "Set-Cookie" not in refused.headers
    assert second.get("/").status_code == 403


def test_a_cookie_from_an_earlier_run_is_refused(app: Flask, settings: Settings) -> None:
    earlier, later = Door(PORT), Door(PORT)
    client = studio(settings, earlier)
    client.get(earlier.link)
    cookie = client.get_cookie(earlier.cookie, "127.0.0.1")
    assert cookie is not None

    other = studio(settings, later)
    other.set_cookie(later.cookie, cookie.value, domain="127.0.0.1")

    assert other.get("/").status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:5555", "localhost:5555", "127.0.0.1", ""])
def test_requests_with_another_host_header_are_refused(app: Flask, settings: Settings, host: str) -> None:
    door = Door(PORT)
    client = studio(settings, door)
    client.get(door.link)

    assert client.get("/", headers={"Host": host}).status_code == 421
    assert client.get(Door(PORT).link, headers={"Host": host}).status_code == 421
    assert client.get("/").status_code == 200


def test_the_default_http_port_is_left_out_of_the_link(app: Flask, settings: Settings) -> None:
    door = Door(80)
    client = studio(settings, door)

    assert door.link.startswith("http://127.0.0.1/open?")
    assert client.get(door.link, headers={"Host": "127.0.0.1"}).status_code == 303


def test_no_page_is_cached_or_loads_anything_from_elsewhere(app: Flask, settings: Settings) -> None:
    door = Door(PORT)
    client = studio(settings, door)
    client.get(door.link)

    for path, status in (("/", 200), ("/tables/orders", 200), ("/tables/nothing", 404), ("/nothing", 404)):
        answer = client.get(path)
        assert answer.status_code == status
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
