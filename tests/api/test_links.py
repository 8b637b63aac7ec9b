"""The next page has the address of the present one, with a cursor of its own."""

from urllib.parse import parse_qsl, quote, urlencode

from flask import Flask, Response
from hypothesis import example, given
from hypothesis import strategies as st

from nexus.api.links import link_next


def link(query: str) -> str:
    """The link to the page after the one that was asked for by a query."""
    # WSGI shows each byte as a character.
    asked = {"QUERY_STRING": query.encode().decode("latin-1")}
    with Flask(__name__).test_request_context("/api/products", environ_overrides=asked):
        return link_next(Response(), "NEW").headers["Link"]


def query_of(link: str) -> str:
    before, after = "</api/products?", '>; rel="next"'
    assert link.startswith(before)
    assert link.endswith(after)
    return link[len(before) : -len(after)]


@given(
    st.dictionaries(
        st.sampled_from(["userId", "q", "sort", "cursor", "discursor"]),
        st.text('a7-. +&=%é!~/?<>"#'),
        max_size=4,
    )
)
@example({"q": "a", "cursor": "old"})
@example({"cursor": "old", "q": "a"})
@example({"discursor": "a"})
def test_it_asks_for_the_same_with_another_cursor(fields: dict[str, str]) -> None:
    unescaped = "&".join(f"{name}={value.replace('%', '-')}" for name, value in fields.items())
    for query in (urlencode(fields), urlencode(fields, quote_via=quote), unescaped):
        read = parse_qsl(query, keep_blank_values=True)
        if len(dict(read)) == len(read):
            following = query_of(link(query))

            assert dict(parse_qsl(following, keep_blank_values=True)) == {**dict(read), "cursor": "NEW"}
            # Nothing that ends the link or its line, and nothing that a header cannot hold.
            assert following.isascii()
            assert not set(following) & set('<>"\\^`{|} ')


@given(st.text("a1!~/?:@$'()*+,;=.", max_size=20), st.sampled_from(["cursor=old&", ""]))
def test_it_is_no_longer_than_it_was_asked_for(q: str, cursor: str) -> None:
    assert query_of(link(f"{cursor}limit=1&q={q}")) == f"limit=1&q={q}&cursor=NEW"


def test_the_last_page_has_none() -> None:
    assert "Link" not in link_next(Response(), None).headers
