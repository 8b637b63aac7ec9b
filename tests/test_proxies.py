"""Whose word counts for where a request comes from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.proxies import Proxies, neighbourhood

NOBODY = Proxies.parse("0")
PRIVATE = "10.0.0.0/8, 127.0.0.1,fd00::/8"

ENTRIES = st.lists(st.one_of(st.ip_addresses().map(str), st.text(max_size=20)), max_size=6)


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client"),
    [
        # Nobody is trusted.
        ("0", "198.51.100.7", "", "198.51.100.7"),
        ("0", "198.51.100.7", "203.0.113.9", "198.51.100.7"),
        # One proxy, and what a client writes in front of its word.
        ("1", "10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("1", "10.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("1", "10.0.0.1", "", "10.0.0.1"),
        # Two, and a request that came by one of them only.
        ("2", "10.0.0.1", "6.6.6.6, 203.0.113.9, 104.22.17.40", "203.0.113.9"),
        ("2", "10.0.0.1", "203.0.113.9", "203.0.113.9"),
        # Networks: the right-most that is none of them.
        (PRIVATE, "10.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (PRIVATE, "10.0.0.1", "6.6.6.6, 203.0.113.9, 10.9.9.9, 127.0.0.1", "203.0.113.9"),
        (PRIVATE, "fd12::1", "2001:db8::9", "2001:db8::9"),
        (PRIVATE, "198.51.100.7", "203.0.113.9", "198.51.100.7"),
        (PRIVATE, "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        # What is no address ends the search where it was last known.
        (PRIVATE, "10.0.0.1", "203.0.113.9, nonsense", "10.0.0.1"),
        ("2", "10.0.0.1", "203.0.113.9,, 104.22.17.40", "104.22.17.40"),
        ("1", "10.0.0.1", "unknown", "10.0.0.1"),
        # Ways to write the same.
        ("1", "10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("1", "10.0.0.1", "[2001:db8::9]:4711", "2001:db8::9"),
        ("1", "10.0.0.1", "[2001:DB8:0::9]", "2001:db8::9"),
        ("1", "10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        (PRIVATE, "::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("0", "fe80::1%eth0", "", "fe80::1"),
        # A socket that is a file has no address.
        ("0", "", "203.0.113.9", ""),
        ("1", "", "203.0.113.9", "203.0.113.9"),
        (PRIVATE, "", "203.0.113.9", ""),
    ],
)
def test_the_client_is_the_right_most_that_is_not_trusted(
    trusted: str, peer: str, forwarded: str, client: str
) -> None:
    assert Proxies.parse(trusted).client(peer, forwarded) == client


@given(ENTRIES, st.sampled_from(["1", "2", PRIVATE]))
def test_what_a_client_writes_changes_nothing(made_up: list[str], trusted: str) -> None:
    proxies = Proxies.parse(trusted)
    told = {"1": "203.0.113.9", "2": "203.0.113.9, 104.22.17.40", PRIVATE: "203.0.113.9, 10.3.3.3"}[trusted]

    assert proxies.client("10.0.0.1", ",".join([*made_up, told])) == "203.0.113.9"


@given(st.text(max_size=200))
def test_no_header_is_an_accident(forwarded: str) -> None:
    assert NOBODY.client("198.51.100.7", forwarded) == "198.51.100.7"
    for trusted in ("3", PRIVATE):
        assert Proxies.parse(trusted).client("10.0.0.1", forwarded)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("", ""),
    ],
)
def test_what_counts_as_one_place(address: str, place: str) -> None:
    assert neighbourhood(address) == place


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("yes", "must be a number of proxies or a list of their networks"),
        ("-1", "must be a number"),
        ("10.0.0.1/8", "has host bits set"),
        ("10.0.0.0/8,", "must be a number"),
        ("11", "at most 10"),
        ("99999999999", "must be a number"),
        ("0.0.0.0/0", "all addresses"),
        ("10.0.0.0/8,::/0", "all addresses"),
    ],
)
def test_nonsense_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Proxies.parse(text)
