"""The CSV file of orders from a real server: its memory for a million orders, and failures half-way."""

import json
from collections.abc import Callable
from http.client import IncompleteRead
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from nexus.config import Settings
from nexus.embedded import Cluster
from tests.faults.conftest import Server
from tests.sql import query

#: Without events, as in an import.
ORDERS = """
SET nexus.import = 'on';
INSERT INTO orders (seller_id, product_name, email, name, amount, currency, created_at)
SELECT 1, 'Course ' || n, 'buyer' || n || '@example.com', 'Покупатель ' || n, n, 'USD',
       timestamptz '2026-01-01' + n * interval '1 s'
FROM generate_series(1, %s) n
"""
MEBIBYTE = 1024


def signed_up(server: Server) -> dict[str, str]:
    """Register the first account; return its headers."""
    body = json.dumps({"email": "seller@example.com", "password": "correct horse battery"}).encode()
    url = f"http://127.0.0.1:{server.port}/api/auth/register"
    with urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=20) as answer:
        return {"Authorization": f"Bearer {json.load(answer)['token']}"}


def memory(server: Server, line: str) -> int:
    """Return the memory of all workers in KiB, from a line of their /proc status."""
    master = server.process.pid
    workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    found = [Path(f"/proc/{worker}/status").read_text().partition(f"{line}:")[2] for worker in workers]
    return sum(int(text.split()[0]) for text in found)


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc to measure memory")
def test_memory_does_not_grow_with_the_number_of_orders(
    server: Server,
    cluster: Cluster,
    settings: Settings,
) -> None:
    own = settings.model_copy(update={"database_url": cluster.url("nexus")})
    headers = signed_up(server)
    query(own, ORDERS, 1_000_000)
    url = f"http://127.0.0.1:{server.port}/api/orders.csv"
    with urlopen(Request(f"{url}?status=paid", headers=headers), timeout=60) as answer:
        assert answer.read().count(b"\r\n") == 1
    idle = memory(server, "VmRSS")

    lines = 0
    with urlopen(Request(url, headers=headers), timeout=600) as answer:
        while piece := answer.read(1 << 20):
            lines += piece.count(b"\n")

    above = (memory(server, "VmHWM") - idle) / MEBIBYTE
    assert lines == 1_000_001
    assert above <= 80


def stop(_: Settings, cluster: Cluster) -> None:
    """Stop the database."""
    cluster.stop()


def delete_account(own: Settings, _: Cluster) -> None:
    """Delete the seller's account, which leaves the orders without a seller."""
    query(own, "DELETE FROM users WHERE id = 1")


@pytest.mark.parametrize("fail", [stop, delete_account])
def test_a_client_detects_a_file_cut_short(
    server: Server, cluster: Cluster, settings: Settings, fail: Callable[[Settings, Cluster], None]
) -> None:
    own = settings.model_copy(update={"database_url": cluster.url("nexus")})
    headers = signed_up(server)
    # More than the buffers in between can hold, so that the server waits for its reader.
    query(own, ORDERS, 100_000)

    request = Request(f"http://127.0.0.1:{server.port}/api/orders.csv", headers=headers)
    with urlopen(request, timeout=60) as answer:
        assert answer.read(10).startswith(b"\xef\xbb\xbfid,")
        fail(own, cluster)
        with pytest.raises(IncompleteRead):
            answer.read()
    assert server.get("/healthz")[0] == 200
