"""A database that may be spoilt, and the doctor who looks at it."""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest

from nexus import create_app
from nexus.config import Settings
from nexus.db import database
from tests.conftest import renamed

# PgBouncers for those who need one, with TLS or without.
from tests.pooler.conftest import certificate, start  # noqa: F401
from tests.sql import query


@dataclass
class Report:
    """What `flask db doctor --json` answered."""

    code: int
    lines: dict[str, dict[str, Any]]

    def status(self, check: str) -> str:
        """The status of one line."""
        return str(self.lines[check]["status"])

    def detail(self, check: str) -> str:
        """What it says."""
        return str(self.lines[check]["detail"])

    def advice(self, check: str) -> str:
        """What is to be done about it, as given."""
        return str(self.lines[check]["advice"])


Doctor = Callable[..., Report]


@pytest.fixture
def doctor(settings: Settings) -> Iterator[Doctor]:
    """Run the command in this process, with other settings where some are named."""

    def examine(patient: Settings, **changes: Any) -> Report:
        app = create_app(patient.model_copy(update=changes))
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
    """Settings of an empty shop that is well: migrated, and with limits of time."""
    for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        query(shop, f"ALTER DATABASE {name(shop)} SET {limit} = '20s'")
    return shop


def name(settings: Settings) -> str:
    """The name of the database."""
    assert settings.direct
    return settings.direct.parameters["dbname"]


@contextmanager
def made(settings: Settings, how: str) -> Iterator[Settings]:
    """Settings for a database that is made in a certain way."""
    new = f"nexus_made_{secrets.token_hex(6)}"
    query(settings, f"CREATE DATABASE {new} {how}")
    try:
        yield settings.model_copy(update={"database_url": renamed(str(settings.database_url), new)})
    finally:
        query(settings, f"DROP DATABASE {new} WITH (FORCE)")


@pytest.fixture
def guest(shop: Settings) -> Iterator[tuple[str, str]]:
    """A role that may do nothing but connect, and its URL."""
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
