"""The next page has the address of the present one, written in one form, with a cursor of its own."""

from urllib.parse import parse_qsl, urlencode

from flask import Flask, Response
from hypothesis import example, given
from hypothesis import strategies as st

from nexus.api.links import link_next


@given(st.dictionaries(st.sampled_from(["userId", "q", "sort", "cursor"]), st.text("a7-. +&=%é"), max_size=4))
@example({"q": "a", "cursor": "old"})
@example({"cursor": "old", "q": "a"})
@example({"discursor": "a"})
def test_it_is_written_as_python_writes_a_query(fields: dict[str, str]) -> None:
    unescaped = "&".join(f"{name}={value.replace('%', '-')}" for name, value in fields.items())
    for query in (urlencode(fields), unescaped):
        read = dict(parse_qsl(query, keep_blank_values=True))
        asked = {"QUERY_STRING": query.encode().decode("latin-1")}
        if len(read) == len(parse_qsl(query, keep_blank_values=True)):
            with Flask(__name__).test_request_context("/api/products", environ_overrides=asked):
                link = link_next(Response(), "NEW").headers["Link"]

            assert link == f'</api/products?{urlencode({**read, "cursor": "NEW"})}>; rel="next"'


def test_the_last_page_has_none() -> None:
    assert "Link" not in link_next(Response(), None).headers
