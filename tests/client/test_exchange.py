"""The retries of a call, played step by step: failures come in any order, without a server."""

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.client import AsyncClient, Client, Garbled, Refused, ShopError, Unreachable, calls
from nexus.client.call import Call
from nexus.client.exchange import AWAY, UNSENT, Exchange, Send, Wait

REQUEST = httpx.Request("GET", "http://shop.example/")
SAFE = (calls.product(1), calls.me(), calls.place_order(product_id=1, email="buyer@example.com"))
OTHERS = (calls.sign_out(), calls.delete_product(1), calls.add_product(name="Course", price=1))
TRANSPORT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadTimeout, httpx.RemoteProtocolError)


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    """An error response of the API."""
    body = {
        "type": "",
        "title": "",
        "status": status,
        "detail": "",
        "code": code,
        "requestId": "1",
        "error": "",
    }
    return httpx.Response(status, json=body, headers=headers, request=REQUEST)


def page(status: int) -> httpx.Response:
    """A response from a proxy."""
    return httpx.Response(status, html="<p>", request=REQUEST)


outcomes = st.one_of(
    st.sampled_from([kind("no") for kind in TRANSPORT]),
    st.builds(lambda wait: problem(429, "throttled", **{"Retry-After": str(wait)}), st.integers(1, 40)),
    st.builds(lambda status: page(status), st.sampled_from([200, 302, 404, 500, *AWAY])),
    st.just(problem(503, "database_unavailable", **{"Retry-After": "2"})),
    st.just(problem(503, "database_busy", **{"Retry-After": "1"})),
    st.just(problem(409, "idempotency_in_progress", **{"Retry-After": "1"})),
    st.just(problem(409, "price_changed")),
    st.just(problem(418, "of_a_newer_server")),
)


class Clock:
    """A clock that only waiting advances."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def play(call: Call[Any], played: list[Any], *, patience: float) -> tuple[list[Any], list[float], ShopError]:
    """Play a call; return the outcome of each attempt, the waits between them, and the final error."""
    clock = Clock()
    steps = Exchange(timeout=1, patience=patience, clock=clock).run(call)
    tries: list[Any] = []
    waits: list[float] = []
    # After the last outcome comes one that ends any call.
    coming = [*played, page(404)]
    try:
        step = next(steps)
        while True:
            if isinstance(step, Wait):
                waits.append(step.seconds)
                clock.now += step.seconds
                step = next(steps)
                continue
            assert isinstance(step, Send)
            tries.append(coming[len(tries)])
            outcome = tries[-1]
            step = steps.throw(outcome) if isinstance(outcome, Exception) else steps.send(outcome)
    except ShopError as error:
        return tries, waits, error


@given(st.sampled_from(SAFE + OTHERS), st.lists(outcomes, max_size=30), st.sampled_from([0, 5, 30]))
def test_calls_are_retried_only_when_safe_after_the_wait_and_within_patience(
    call: Call[Any], played: list[Any], patience: float
) -> None:
    safe = call in SAFE
    tries, waits, error = play(call, played, patience=patience)

    assert sum(waits) <= patience
    assert len(tries) == len(waits) + 1
    for outcome, wait in zip(tries, waits, strict=False):
        if isinstance(outcome, httpx.Response):
            undone = any(code in outcome.text for code in ("throttled", "database_busy"))
            assert undone or (safe and outcome.status_code in (*AWAY, 409))
            assert wait >= int(outcome.headers.get("Retry-After", 0))
        else:
            assert safe or isinstance(outcome, UNSENT)
    last = tries[-1]
    if isinstance(last, Exception):
        assert isinstance(error, Unreachable)
        assert error.__cause__ is last
    elif last.headers["Content-Type"] == "application/json":
        assert isinstance(error, Refused)
        assert error.code == last.json()["code"]
    else:
        assert isinstance(error, Garbled)
        assert error.status == last.status_code


def test_every_attempt_at_an_order_has_the_same_key_and_every_order_its_own() -> None:
    def keys() -> set[str]:
        call = calls.place_order(product_id=1, email="buyer@example.com")
        steps = Exchange(timeout=1, patience=30, clock=Clock()).run(call)
        sent = [next(steps)]
        for _ in range(5):
            assert isinstance(steps.throw(httpx.ReadError("cut")), Wait)
            sent.append(next(steps))
        assert all(isinstance(one, Send) for one in sent)
        return {one.headers["Idempotency-Key"] for one in sent if isinstance(one, Send)}

    (first,), (second,) = keys(), keys()
    assert first != second
    # Keys without an account must be this long.
    assert min(len(first), len(second)) >= 32


@pytest.mark.parametrize("text", ["", " key", "key\n", "ключ", "a\x00b"])
def test_values_that_no_request_can_carry_are_refused_before_sending(text: str) -> None:
    for call in (
        calls.place_order(product_id=1, email="buyer@example.com", key=text),
        calls.order("1", receipt=f"{text} "),
    ):
        with pytest.raises(ValueError, match="can be sent"):
            next(Exchange(timeout=1, patience=30).run(call))


def test_an_id_of_dots_does_not_traverse_the_path() -> None:
    for path in (calls.order("..").path, calls.end_session("..").path):
        assert httpx.URL(f"http://shop.example{path}").raw_path.decode() == path


def test_unknown_values_from_a_newer_server_are_kept() -> None:
    steps = Exchange(timeout=1, patience=30).run(calls.product(1))
    next(steps)
    answer = {"product": {"id": 1, "status": "sold_out", "rating": 5}, "reviews": []}
    with pytest.raises(StopIteration) as end:
        steps.send(httpx.Response(200, json=answer, request=REQUEST))
    assert end.value.value == answer["product"]


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("url", ["127.0.0.1:8000", "shop.example", ""])
def test_a_url_without_a_scheme_is_refused_at_once(kind: type[Client | AsyncClient], url: str) -> None:
    with pytest.raises(ValueError, match="must begin with http:// or https://"):
        kind(url)
