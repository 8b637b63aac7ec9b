"""Reads while all writes have to wait."""

import json
from concurrent.futures import ThreadPoolExecutor

from nexus.config import Settings
from tests.factories import PASSWORD
from tests.faults.conftest import Server
from tests.locks import held, until_someone_waits

CROWD = 24


def test_orders_waiting_for_a_lock_leave_a_thread_for_reads(shop: Server, settings: Settings) -> None:
    credentials = {"email": "reads@example.com", "password": PASSWORD}
    token = json.loads(shop.post("/api/auth/register", credentials)[1])["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    offered = shop.post("/api/products", {"name": "Course", "price": 1}, **bearer)[1]
    product = json.loads(offered)["product"]["id"]
    path = f"/api/products/{product}"
    order = {"productId": product, "email": "b@example.com"}

    with ThreadPoolExecutor(CROWD) as crowd:
        with held(settings, "LOCK TABLE orders"):
            orders = [crowd.submit(shop.post, "/api/orders", order) for _ in range(CROWD)]
            # Five threads of the process with more of them; the other process may have none.
            until_someone_waits(settings, at_least=5)
            read = [shop.get(path)[0] for _ in range(20)]
            answered = sum(one.done() for one in orders)
        placed = [one.result()[0] for one in orders]

    assert (read, answered) == ([200] * 20, 0)
    assert placed == [201] * CROWD
