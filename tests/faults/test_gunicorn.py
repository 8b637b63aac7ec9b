"""The server while PostgreSQL terminates connections, stops and starts again."""

import json
from concurrent.futures import ThreadPoolExecutor

from nexus.config import Settings
from nexus.embedded import Cluster
from tests.faults.conftest import Server
from tests.sql import TERMINATE, query


def test_reads_succeed_after_terminated_connections_and_a_restart(
    server: Server, cluster: Cluster, settings: Settings
) -> None:
    path = "/api/products?userId=1"
    with ThreadPoolExecutor(16) as crowd:
        assert [status for status, _ in crowd.map(server.get, [path] * 200)] == [200] * 200

    own = settings.model_copy(update={"database_url": cluster.url("nexus")})
    assert query(own, TERMINATE)[0][0] >= 2
    assert [server.get(path)[0] for _ in range(100)] == [200] * 100

    cluster.stop()
    status, body = server.get(path)
    assert (status, json.loads(body)["code"]) == (503, "database_unavailable")
    assert server.get("/healthz")[0] == 200
    assert server.get("/readyz")[0] == 503

    cluster.start()
    assert [server.get(path)[0] for _ in range(50)] == [200] * 50
