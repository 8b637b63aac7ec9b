"""The ids of new orders."""

import time
from uuid import RFC_4122, UUID

from nexus.models.orders import new_id
from tests.factories import Person


def test_an_id_is_a_uuid_of_version_7_with_the_present_time_and_random_bits() -> None:
    before = time.time_ns() // 1_000_000
    ids = [UUID(new_id()) for _ in range(1000)]
    after = time.time_ns() // 1_000_000

    assert {(one.version, one.variant) for one in ids} == {(7, RFC_4122)}
    assert all(before <= one.int >> 80 <= after for one in ids)
    # Each of the 74 random bits is set in some ids, and not in others.
    fixed = 0xF << 76 | 0x3 << 62
    random = (1 << 80) - 1 & ~fixed
    differing = 0
    for one in ids:
        differing |= one.int ^ ids[0].int
    assert differing & random == random
    assert not differing & fixed
    assert len({*ids}) == len(ids)


def test_orders_with_and_without_a_key_get_such_an_id(seller: Person, stranger: Person) -> None:
    wanted = {"productId": seller.product()["id"], "email": "buyer@example.com"}
    for headers in ({}, {"Idempotency-Key": "k" * 32}):
        answer = stranger.post("/api/orders", wanted, headers=headers)
        assert UUID(answer.get_json()["order"]["id"]).version == 7
