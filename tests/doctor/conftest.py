"""A database that a test may break, and `flask db doctor` to examine it."""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest

from nexus import create_app
from nexus.config import Settings
from nexus.db import database

# PgBouncers for tests that need one, with or without TLS.
from tests.pooler.conftest import certificate, start  # noqa: F401
from tests.sql import query


@dataclass
class Report:
    """The result of `flask db doctor --json`."""

    code: int
    lines: dict[str, dict[str, Any]]

    def status(self, check: str) -> str:
        """Return the status of a check."""
        return str(self.lines[check]["status"])

    def detail(self, check: str) -> str:
        """Return the details of a check."""
        return str(self.lines[check]["detail"])

    def advice(self, check: str) -> str:
        """Return the advice of a check."""
        return str(self.lines[check]["advice"])


Doctor = Callable[..., Report]


@pytest.fixture
def doctor(settings: Settings) -> Iterator[Doctor]:
    """Run the command in this process, with some settings changed."""

    def examine(shop: Settings, **changes: Any) -> Report:
        app = create_app(shop.model_copy(update=changes))
        result = app.test_cli_runner().invoke(args=["db", "doctor", "--json"])
        findings = json.loads(result.stdout)
        assert len({finding["check"] for finding in findings}) == len(findings)
        for finding in findings:
            assert finding.keys() == {"check", "status", "detail", "advice"}
            assert (finding["advice"] is None) == (finding["status"] == "ok")
        assert result.exit_code == any(finding["status"] == "fail" for finding in findings)
        return Report(result.exit_code, {finding["check"]: finding for finding in findings})

    yield examine
    database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)
    database.direct = settings.direct


@pytest.fixture
def shop(shop: Settings) -> Settings:
    """Settings of an empty shop without problems: migrated, and with timeouts."""
    for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        query(shop, f"ALTER DATABASE {name(shop)} SET {limit} = '20s'")
    return shop


def name(settings: Settings) -> str:
    """Return the name of the database."""
    assert settings.direct
    return settings.direct.parameters["dbname"]


@pytest.fixture
def guest(shop: Settings) -> Iterator[tuple[str, str]]:
    """A role that may only connect, and its URL."""
    if query(shop, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") != [(True,)]:
        pytest.skip("the role of DATABASE_URL is no superuser, who could make another role")
    role, password = f"nexus_guest_{secrets.token_hex(6)}", secrets.token_hex(12)
    query(shop, f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    assert shop.direct
    place = {part: value for part, value in shop.direct.parameters.items() if part in ("host", "port")}
    options = "&".join(f"{part}={quote(value, safe='')}" for part, value in place.items())
    try:
        yield role, f"postgresql://{role}:{password}@/{name(shop)}?{options}"
    finally:
        with closing(psycopg2.connect(**shop.direct.parameters)) as connection:  # type: ignore[call-overload]
            connection.autocommit = True
            connection.cursor().execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER")
            connection.cursor().execute(f"DROP OWNED BY {role}")
            connection.cursor().execute(f"DROP ROLE {role}")
