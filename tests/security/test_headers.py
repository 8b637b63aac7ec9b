"""The response headers for browsers and caches."""

import pytest

from nexus import create_app
from nexus.config import Settings
from tests.factories import Person


@pytest.mark.parametrize(
    ("path", "known", "unknown"),
    [
        ("/api/auth/me", "no-store", "no-store"),
        ("/api/auth/nothing", "no-store", "no-store"),
        ("/api/orders", "no-store", "no-store"),
        ("/api/orders/nothing", "no-store", "no-store"),
        ("/api/products?userId=1", "private, no-cache", "public, no-cache"),
        ("/api/products?userId=none", "no-store", "no-store"),
        ("/healthz", "no-store", "no-store"),
        ("/nothing", "no-store", "no-store"),
    ],
)
def test_caches_cannot_serve_one_callers_response_to_another(
    seller: Person, stranger: Person, path: str, known: str | None, unknown: str | None
) -> None:
    assert seller.get(path).headers.get("Cache-Control") == known
    assert stranger.get(path).headers.get("Cache-Control") == unknown


def test_cached_responses_vary_by_credentials(stranger: Person) -> None:
    assert {"authorization", "cookie"} <= stranger.get("/api/products?userId=1").vary.as_set()


@pytest.mark.parametrize("path", ["/api/products?userId=1", "/api/nothing", "/healthz"])
def test_browsers_do_not_treat_api_responses_as_pages(stranger: Person, path: str) -> None:
    headers = stranger.get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_a_page_can_set_its_own_content_security_policy(settings: Settings) -> None:
    app = create_app(settings)
    own = {"Content-Security-Policy": "default-src 'self'"}
    app.add_url_rule("/page", view_func=lambda: ("", own))

    assert app.test_client().get("/page").headers.getlist("Content-Security-Policy") == ["default-src 'self'"]


@pytest.mark.parametrize(
    ("environment", "url", "hsts"),
    [
        ("production", "https://nexus.sales", "max-age=31536000"),
        ("production", "http://nexus.sales", None),
        ("development", "https://localhost", None),
    ],
)
def test_hsts_is_sent_over_https_outside_development(
    settings: Settings, environment: str, url: str, hsts: str | None
) -> None:
    app = create_app(settings.model_copy(update={"app_env": environment}))
    answer = app.test_client().get("/healthz", base_url=url)

    assert answer.headers.get("Strict-Transport-Security") == hsts


def test_a_draft_is_revalidated_on_every_request(seller: Person) -> None:
    path = f"/api/products/{seller.product(status='draft')['id']}"
    answer = seller.get(path)
    again = seller.get(path, headers={"If-None-Match": answer.headers["ETag"]})

    assert [one.headers["Cache-Control"] for one in (answer, again)] == ["private, no-cache"] * 2
    assert again.status_code == 304
