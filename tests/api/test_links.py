"""The link to the next page is the URL of the current one with another cursor."""

from urllib.parse import parse_qsl, quote, urlencode

from flask import Flask, Response
from hypothesis import example, given
from hypothesis import strategies as st

from nexus.api.links import link_next


def link(query: str) -> str:
    """The Link header of a page that was requested with this query string."""
    # WSGI represents each byte as a character.
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
def test_the_link_changes_only_the_cursor(fields: dict[str, str]) -> None:
    unescaped = "&".join(f"{name}={value.replace('%', '-')}" for name, value in fields.items())
    for query in (urlencode(fields), urlencode(fields, quote_via=quote), unescaped):
        read = parse_qsl(query, keep_blank_values=True)
        if len(dict(read)) == len(read):
            following = query_of(link(query))

            assert dict(parse_qsl(following, keep_blank_values=True)) == {**dict(read), "cursor": "NEW"}
            # No character may end the link or the header, or be invalid in a header.
            assert following.isascii()
            assert not set(following) & set('<>"\\^`{|} ')


@given(st.text("a1!~/?:@$'()*+,;=.", max_size=20), st.sampled_from(["cursor=old&", ""]))
def test_the_link_escapes_no_more_than_the_request_did(q: str, cursor: str) -> None:
    assert query_of(link(f"{cursor}limit=1&q={q}")) == f"limit=1&q={q}&cursor=NEW"


def test_the_last_page_has_no_link() -> None:
    assert "Link" not in link_next(Response(), None).headers
