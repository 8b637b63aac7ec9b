"""Requests generated from the description of the API, sent to the server by each kind of caller."""

import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from flask import Flask

from nexus.config import Settings
from nexus.db import database
from nexus.models.users import User
from tests.environment import environment
from tests.factories import register
from tests.faults.conftest import Server, serving
from tests.fuzz.conftest import CASES

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not find_spec("schemathesis"), reason="needs schemathesis, the extra `fuzz`"),
]

#: Not the password of the description's examples, or requests made from them could change it.
PASSWORD = "ochre lantern meadow"
#: The minimum number of cases per caller.
MINIMUM = 1000


@pytest.fixture(scope="module")
def server(root: Path, settings: Settings, app: Flask) -> Iterator[Server]:
    """The server with the database of the test run."""
    # Without a key, development serves /metrics to everybody, contrary to its description.
    with serving(root, settings, METRICS_KEY=secrets.token_urlsafe(48)) as server:
        yield server


@pytest.mark.parametrize("caller", ["stranger", "seller", "browser", "admin", "buyer"])
def test_schemathesis_finds_no_failure(
    server: Server,
    root: Path,
    settings: Settings,
    app: Flask,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    caller: str,
) -> None:
    seller = register(app, "caller@example.com", password=PASSWORD)
    if caller == "admin":
        with database.connection_context():
            User.update(role="admin").execute()
    product = seller.product()
    placed = seller.post("/api/orders", {"productId": product["id"], "email": "buyer@example.com"}).get_json()
    program = [str(Path(sys.executable).with_name("schemathesis")), "--no-color"]
    ran = subprocess.run(
        [
            *(*program, "--config-file", str(root / "tests/fuzz/schemathesis.toml")),
            *("run", server.url("/api/openapi.json"), "--max-examples", "10"),
            *("--report", "json", "--report-json-path", str(tmp_path / "report.json")),
        ],
        cwd=tmp_path,
        env=environment(
            settings,
            PYTHONPATH=str(root),
            SCHEMATHESIS_HOOKS="tests.fuzz.callers",
            FUZZ_CALLER=caller,
            FUZZ_COUNTS=str(tmp_path / "cases.json"),
            FUZZ_EMAIL=seller.user["email"],
            FUZZ_PASSWORD=PASSWORD,
            FUZZ_ORDER=placed["order"]["id"],
            FUZZ_RECEIPT=placed["receiptToken"],
        ),
        capture_output=True,
        text=True,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    phases = json.loads((tmp_path / "cases.json").read_text("utf-8"))
    record_property(CASES, (caller, phases))
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert (report["failures"], report["errors"]) == ([], [])
    assert sum(phases.values()) >= MINIMUM
