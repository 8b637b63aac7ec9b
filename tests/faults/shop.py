"""A separate shop with a PostgreSQL that breaks, compared with what was acknowledged to its clients."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from nexus.config import Settings
from nexus.migrate import History
from tests.factories import PASSWORD
from tests.faults.clusters import Postgres, alive, children
from tests.faults.conftest import Server
from tests.faults.load import Load, Target

#: Each order with its address, its status and its events in order.
FOUND = """
SELECT o.id::text, o.email, o.status, array_agg(concat_ws('>', e."from", e."to") ORDER BY e.id)
FROM orders o LEFT JOIN order_events e ON e.order_id = o.id
GROUP BY o.id
"""
#: The events that an order must have, by its status.
EXPECTED_EVENTS = {"created": ["created"], "paid": ["created", "created>paid"]}


class Balance(NamedTuple):
    """A comparison of what was acknowledged with the database."""

    acknowledged: int
    #: Acknowledged orders and payments that are not in the database with their events.
    missing: int
    #: Addresses with more than one order, although each was used only once.
    twice: int
    #: Orders whose events do not match their status.
    torn: int


class Shop:
    """The server as started by the Procfile, with a seller and a product."""

    def __init__(self, root: Path, settings: Settings, url: str, log: Path, **changes: str) -> None:
        """Migrate the database of a URL and start the server, with warnings and errors in the log."""
        own = settings.model_copy(update={"database_url": url})
        History.of(own).migrate()
        with log.open("ab") as stderr:
            self.server = Server(root, own, stderr, **changes)
        self.server.wait()
        email = "seller@example.com"
        token = self._post("/api/auth/register", {"email": email, "password": PASSWORD})["token"]
        offer = {"name": "Course", "description": "A course of ten lessons", "price": 1000}
        offered = self._post("/api/products", offer, Authorization=f"Bearer {token}")
        self.target = Target(self.server.port, offered["product"]["id"], email, token)

    def _post(self, path: str, body: dict[str, Any], **headers: str) -> Any:
        status, answer = self.server.post(path, body, **headers)
        assert status == 201, answer
        return json.loads(answer)

    def workers(self) -> list[int]:
        """Return the worker processes."""
        return children(self.server.process.pid)

    def memory(self) -> float:
        """Return the resident memory of all workers in MiB, as Linux reports it."""
        page = os.sysconf("SC_PAGE_SIZE") / (1 << 20)
        living = [worker for worker in self.workers() if alive(worker)]
        return sum(int(Path(f"/proc/{worker}/statm").read_text().split()[1]) for worker in living) * page


def balance(load: Load, postgres: Postgres) -> Balance:
    """Compare what was acknowledged to a load's clients with the database."""
    found = {order: (email, status, events) for order, email, status, events in postgres.ask(FOUND)}
    placed, paid = load.placed(), load.paid()
    kept = {
        order
        for order, (email, _, events) in found.items()
        if email == placed.get(order) and events[0] == "created"
    }
    emails = [email for email, _, _ in found.values()]
    return Balance(
        acknowledged=len(placed) + len(paid),
        missing=len(placed.keys() - kept)
        + sum(order not in found or found[order][1] != "paid" for order in paid),
        twice=len(emails) - len(set(emails)),
        torn=sum(EXPECTED_EVENTS.get(status) != events for _, status, events in found.values()),
    )
