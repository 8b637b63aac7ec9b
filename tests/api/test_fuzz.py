"""No request, however strange, gets a 500."""

from typing import Any
from urllib.parse import quote

from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import Person

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
#: Close to valid, so that requests get past the first check.
values = json_values | st.sampled_from(
    [
        "a@example.com",
        "password123",
        "live",
        "draft",
        "paid",
        "cancelled",
        "1",
        1,
        0,
        2**63 - 1,
        2**63,
        "\0",
        "😀",
    ]
)
names = st.sampled_from(["email", "password", "name", "price", "status", "userId", "productId", "amount"])
bodies = (
    st.dictionaries(names | st.text(max_size=10), values, max_size=6) | json_values | st.binary(max_size=60)
)
queries = st.dictionaries(
    st.sampled_from(
        ["userId", "limit", "cursor", "email", "status", "productId", "createdAfter", "createdBefore"]
    )
    | st.text(max_size=10),
    st.sampled_from(["1", "0", "paid", "2026-01-31T09:12:33Z", "9223372036854775808"]) | st.text(max_size=20),
    max_size=4,
)
headers = st.dictionaries(
    st.sampled_from(
        [
            "Accept-Language",
            "Authorization",
            "Content-Type",
            "Cookie",
            "Origin",
            "Sec-Fetch-Site",
            "X-Request-Id",
        ]
    ),
    st.sampled_from(["application/json", "Bearer x", "token=x", "en;q=2", "null"])
    | st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=30),
    max_size=3,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_request_gets_a_500(app: Flask, seller: Person, stranger: Person, data: st.DataObject) -> None:
    person = data.draw(st.sampled_from([seller, stranger]))
    rule = data.draw(st.sampled_from(sorted(rule.rule for rule in app.url_map.iter_rules())))
    reference = st.sampled_from(["1", "0", "9223372036854775808", "x"]) | st.text(min_size=1, max_size=10)
    path = "/".join(quote(data.draw(reference)) if part.startswith("<") else part for part in rule.split("/"))
    method = data.draw(st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "HEAD"]))
    body = data.draw(bodies)
    sent = {"data": body} if isinstance(body, bytes) else {"json": body}

    answer = person.request(method, path, query_string=data.draw(queries), headers=data.draw(headers), **sent)

    assert answer.status_code < 500, (method, path, sent, answer.text)
