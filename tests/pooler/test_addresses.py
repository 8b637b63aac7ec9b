"""The two database URLs: which of them is used where, several hosts, and TLS."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from nexus import create_app
from nexus.config import Settings
from nexus.database_url import DatabaseURL
from nexus.db import database, session
from nexus.db.connection import connect
from nexus.embedded import Cluster
from nexus.errors import DatabaseUnavailable
from nexus.migrate import History
from tests.environment import environment
from tests.factories import Person
from tests.pooler.bouncer import Bouncer, needed
from tests.pooler.conftest import Start
from tests.sql import query

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.fixture(autouse=True)
def _restored(settings: Settings) -> Iterator[None]:
    """Restore the connection settings, so that no test affects the next."""
    yield
    database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)
    database.direct = settings.direct


@pytest.mark.parametrize("words", [["migrate"], ["seed"], ["db", "ping"], ["db", "status"]])
def test_commands_do_not_use_the_pooler(root: Path, shop: Settings, words: list[str]) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "flask", *words],
        cwd=root,
        env=environment(shop, DATABASE_POOL_URL=NOWHERE),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (run.returncode, run.stderr) == (0, "")


def test_the_web_process_does_not_use_the_direct_url(settings: Settings, shop: Settings) -> None:
    urls = {"database_url": NOWHERE, "database_pool_url": shop.database_url}

    assert Person(create_app(settings.model_copy(update=urls))).get("/readyz").status_code == 200


def test_a_command_has_its_own_session_without_timeouts(scratch: Settings) -> None:
    query(scratch, f"ALTER ROLE CURRENT_USER IN DATABASE {name(scratch)} SET statement_timeout = '3s'")
    create_app(scratch)
    with session() as outer:
        outer.execute_sql("SET lock_timeout = '4s'")
        with session() as inner:
            seen = [inner.execute_sql(f"SHOW {timeout}").fetchone()[0] for timeout in TIMEOUTS]
    assert seen == ["0", "4s", "0"]
    assert not database._connections

    with database.connection_context():
        assert [database.execute_sql(f"SHOW {timeout}").fetchone()[0] for timeout in TIMEOUTS] == [
            "3s",
            "5s",
            "30s",
        ]


TIMEOUTS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


def name(settings: Settings) -> str:
    assert settings.direct
    return settings.direct.parameters["dbname"]


def test_a_command_whose_session_is_lost_does_not_continue_in_another(scratch: Settings) -> None:
    create_app(scratch)

    def interrupted() -> None:
        with session() as ours:
            query(scratch, "SELECT pg_terminate_backend(%s)", ours.connection().info.backend_pid)
            ours.execute_sql("SELECT 1")

    with pytest.raises(DatabaseUnavailable):
        interrupted()


@needed
def test_a_command_that_uses_a_pooler_by_mistake_leaves_no_state_there(
    scratch: Settings, start: Start
) -> None:
    bouncer = start(scratch)
    create_app(scratch.model_copy(update={"database_url": bouncer.url(query="")}))
    with session():
        pass

    assert bouncer.left_behind() == []


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[str]:
    """The URL of two servers, of which the first is read-only like a standby."""
    clusters = [Cluster(tmp_path / place, durable=False) for place in ("first", "second")]
    try:
        first, second = (DatabaseURL.parse(cluster.url("shop")).parameters for cluster in clusters)
        with closing(psycopg2.connect(**first)) as connection:  # type: ignore[call-overload]
            connection.autocommit = True
            connection.cursor().execute("ALTER DATABASE shop SET default_transaction_read_only = on")
        hosts = ",".join(["127.0.0.1", first["host"], second["host"]])
        ports = ",".join(["1", first["port"], second["port"]])
        yield f"postgresql:///shop?user=postgres&host={hosts}&port={ports}&target_session_attrs=read-write"
    finally:
        for cluster in clusters:
            cluster.remove()


def test_of_several_hosts_the_writable_one_is_used(settings: Settings, pair: str) -> None:
    shop = settings.model_copy(update={"database_url": pair, "database_pool_url": None})

    assert History.of(shop).migrate()
    assert Person(create_app(shop)).get("/readyz").status_code == 200
    assert query(shop, "SHOW transaction_read_only") == [("off",)]


@needed
def test_requiring_tls_fails_if_the_server_has_none(bouncer: Bouncer) -> None:
    with pytest.raises(psycopg2.OperationalError, match="server does not support SSL, but SSL was required"):
        connect(DatabaseURL.parse(bouncer.url(query="?sslmode=require")), wait=5)


@needed
def test_tls_settings_reach_libpq(
    settings: Settings, start: Start, certificate: tuple[Path, Path], subtests: pytest.Subtests
) -> None:
    root_certificate = certificate[0]
    bouncer = start(settings, certificate=certificate)
    for host, parameters in (
        ("127.0.0.1", "sslmode=require"),
        ("127.0.0.1", f"sslmode=verify-ca&sslrootcert={root_certificate}"),
        ("localhost", f"sslmode=verify-full&sslrootcert={root_certificate}"),
    ):
        with subtests.test(f"{host} {parameters}"):
            url = DatabaseURL.parse(bouncer.url(host=host, query=f"?pgbouncer=true&{parameters}"))
            with closing(connect(url, wait=5)) as connection:
                assert connection.info.ssl_in_use

    for host, parameters, complaint in (
        ("127.0.0.1", f"sslmode=verify-full&sslrootcert={root_certificate}", "does not match host name"),
        ("localhost", "sslmode=verify-full&sslrootcert=system", "certificate verify failed"),
        ("127.0.0.1", "sslmode=disable", "SSL required"),
    ):
        with subtests.test(f"{host} {parameters}"), pytest.raises(psycopg2.OperationalError, match=complaint):
            connect(DatabaseURL.parse(bouncer.url(host=host, query=f"?{parameters}")), wait=5)
