"""What answers tell browsers and caches about themselves."""

import pytest

from tests.factories import Person


@pytest.mark.parametrize(
    ("path", "cached"),
    [
        ("/api/auth/me", "no-store"),
        ("/api/auth/nothing", "no-store"),
        ("/api/products?userId=1", "private, no-cache"),
        ("/api/orders/nothing", "private, no-cache"),
        ("/healthz", None),
    ],
)
def test_no_cache_gives_one_callers_answer_to_another(seller: Person, path: str, cached: str | None) -> None:
    answer = seller.get(path)

    assert answer.headers.get("Cache-Control") == cached
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_draft_is_asked_for_again_each_time(seller: Person) -> None:
    path = f"/api/products/{seller.product(status='draft')['id']}"
    answer = seller.get(path)
    again = seller.get(path, headers={"If-None-Match": answer.headers["ETag"]})

    assert [one.headers["Cache-Control"] for one in (answer, again)] == ["private, no-cache"] * 2
    assert again.status_code == 304
