"""The client's address behind proxies: which X-Forwarded-For entries are trusted."""

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
        # No proxy is trusted.
        ("0", "198.51.100.7", "", "198.51.100.7"),
        ("0", "198.51.100.7", "203.0.113.9", "198.51.100.7"),
        # One proxy, and entries that a client put in front of the proxy's.
        ("1", "10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("1", "10.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("1", "10.0.0.1", "", "10.0.0.1"),
        # Two proxies, and a request that passed only one of them.
        ("2", "10.0.0.1", "6.6.6.6, 203.0.113.9, 104.22.17.40", "203.0.113.9"),
        ("2", "10.0.0.1", "203.0.113.9", "203.0.113.9"),
        # Networks: the right-most address outside them.
        (PRIVATE, "10.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (PRIVATE, "10.0.0.1", "6.6.6.6, 203.0.113.9, 10.9.9.9, 127.0.0.1", "203.0.113.9"),
        (PRIVATE, "fd12::1", "2001:db8::9", "2001:db8::9"),
        (PRIVATE, "198.51.100.7", "203.0.113.9", "198.51.100.7"),
        (PRIVATE, "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        # An invalid entry ends the search at the last known address.
        (PRIVATE, "10.0.0.1", "203.0.113.9, nonsense", "10.0.0.1"),
        ("2", "10.0.0.1", "203.0.113.9,, 104.22.17.40", "104.22.17.40"),
        ("1", "10.0.0.1", "unknown", "10.0.0.1"),
        # Other notations of the same address.
        ("1", "10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("1", "10.0.0.1", "[2001:db8::9]:4711", "2001:db8::9"),
        ("1", "10.0.0.1", "[2001:DB8:0::9]", "2001:db8::9"),
        ("1", "10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        (PRIVATE, "::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("0", "fe80::1%eth0", "", "fe80::1"),
        # The peer of a Unix socket has no address.
        ("0", "", "203.0.113.9", ""),
        ("1", "", "203.0.113.9", "203.0.113.9"),
        (PRIVATE, "", "203.0.113.9", ""),
    ],
)
def test_the_client_is_the_right_most_untrusted_address(
    trusted: str, peer: str, forwarded: str, client: str
) -> None:
    assert Proxies.parse(trusted).client(peer, forwarded) == client


@given(ENTRIES, st.sampled_from(["1", "2", PRIVATE]))
def test_forged_entries_do_not_change_the_client_address(forged: list[str], trusted: str) -> None:
    proxies = Proxies.parse(trusted)
    trusted_part = {"1": "203.0.113.9", "2": "203.0.113.9, 104.22.17.40", PRIVATE: "203.0.113.9, 10.3.3.3"}[
        trusted
    ]

    assert proxies.client("10.0.0.1", ",".join([*forged, trusted_part])) == "203.0.113.9"


@given(st.text(max_size=200))
def test_no_header_causes_an_exception(forwarded: str) -> None:
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
def test_ipv6_addresses_are_grouped_by_their_64_bit_network(address: str, place: str) -> None:
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
def test_invalid_settings_are_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Proxies.parse(text)
