"""Orders with idempotency keys while workers are killed: retrying until a response creates one order."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from uuid import uuid4

import pytest

from nexus.config import Settings
from nexus.embedded import Cluster
from tests.faults.conftest import Server
from tests.sql import query

CROWD = 50
#: Per buyer the order ids, one for each event, and the number of keys.
FOUND = """
SELECT email, array_agg(o.id::text), count(k.hash)
FROM orders o LEFT JOIN idempotency_keys k ON k.order_id = o.id JOIN order_events e ON e.order_id = o.id
GROUP BY email
"""


class Buyer:
    """A buyer who retries an order with its key, possibly in several threads, until each has a response."""

    def __init__(self, server: Server, product: int) -> None:
        self.server = server
        self.product = product
        self.key = str(uuid4())
        self.email = f"{self.key}@example.com"
        #: The final statuses and bodies.
        self.answers: set[tuple[int, bytes]] = set()
        self.broken = 0

    def order(self) -> None:
        """Retry the order until there is a response."""
        body = {"productId": self.product, "email": self.email}
        while True:
            try:
                status, answer = self.server.post("/api/orders", body, **{"Idempotency-Key": self.key})
            except (OSError, HTTPException):
                self.broken += 1
                continue
            if status not in (409, 503):
                self.answers.add((status, answer))
                return


@pytest.mark.parametrize("kills", [8, pytest.param(60, marks=pytest.mark.long)])
def test_every_key_creates_one_order_and_every_response_is_correct(
    server: Server, cluster: Cluster, settings: Settings, kills: int
) -> None:
    product = server.offer()

    def kill() -> None:
        for _ in range(kills):
            time.sleep(0.5)
            server.kill_worker()

    killer = threading.Thread(target=kill)
    killer.start()
    buyers: list[Buyer] = []
    with ThreadPoolExecutor(CROWD) as crowd:
        while killer.is_alive():
            # First one order from all threads, then one order per thread.
            for size in (1, CROWD):
                round_ = [Buyer(server, product) for _ in range(size)]
                list(crowd.map(Buyer.order, round_ * (CROWD // size)))
                buyers += round_
    killer.join()

    assert sum(buyer.broken for buyer in buyers)
    answered = {}
    for buyer in buyers:
        ((status, answer),) = buyer.answers
        assert status == 201
        answered[buyer.email] = json.loads(answer)["order"]["id"]
    own = settings.model_copy(update={"database_url": cluster.url("nexus")})
    assert sorted(query(own, FOUND)) == sorted((email, [order], 1) for email, order in answered.items())
