"""The database of a test run, the application over it, and the people who use it."""

import gc
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from flask import Flask
from hypothesis import settings as trials
from pydantic import TypeAdapter

from nexus import create_app
from nexus.config import Settings
from nexus.database_url import DatabaseURL
from nexus.db import database
from nexus.embedded import Cluster
from nexus.migrate import History
from nexus.schemas.fields import Failure
from tests.described import Described
from tests.factories import Person, register
from tests.sql import query

TABLES = ("buckets", "orders", "products", "users")

#: What this machine or a developer's shell says must not decide what a test sees.
for name in Settings.model_fields:
    value = os.environ.pop(name.upper(), None)
    if name == "database_url":
        GIVEN_URL = value

# One process of several, or one in the background of a shell, ignores Ctrl-C, and its children would too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes is no law of ours.
trials.register_profile("nexus", deadline=None)
trials.load_profile("nexus")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --long and --pooler."""
    parser.addoption("--long", action="store_true", help="run what takes longer as well")
    parser.addoption("--pooler", help="URL of a pooler before DATABASE_URL's server, for the application")


def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are processors, since tests wait for a fifth of their time."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_finish() -> None:
    """Keep what is loaded by now, which stays until the end, out of the garbage collector's rounds."""
    gc.freeze()


def pytest_configure_node(node: Any) -> None:
    """Tell a process of the run which server it was given, since the environment no longer does."""
    node.workerinput["database_url"] = GIVEN_URL


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked long, unless it is asked for."""
    if not config.getoption("--long"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="takes longer; runs with --long"))


@pytest.fixture(scope="session")
def database_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """A database of this process's own, on the server of DATABASE_URL or on an embedded one."""
    given_url = getattr(pytestconfig, "workerinput", {}).get("database_url", GIVEN_URL)
    if given_url is None:
        with tempfile.TemporaryDirectory(dir=swiftest()) as folder:
            # The embedded server may be another user's.
            Path(folder).chmod(0o711)
            cluster = Cluster(Path(folder, "postgres"), durable=False)
            cluster.start()
            try:
                yield cluster.url("nexus_test")
            finally:
                database.close_idle()
                cluster.remove()
        return
    name = f"nexus_test_{secrets.token_hex(6)}"
    server = DatabaseURL.parse(given_url).parameters
    with closing(psycopg2.connect(**server)) as connection:  # type: ignore[call-overload]
        connection.autocommit = True
        cursor = connection.cursor()
        # From template0, since only that may be given another locale than the server's.
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'")
        try:
            yield renamed(given_url, name)
        finally:
            database.close_idle()
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def swiftest() -> Path | None:
    """Memory, where there is room in it: hundreds of databases are made and dropped, file by file."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > 4 << 30 else None


def renamed(url: str, name: str) -> str:
    """The same URL with another database in it."""
    address, _, options = url.partition("?")
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/{name}" + (f"?{options}" if options else "")


@contextmanager
def copy_of(template: str, settings: Settings) -> Iterator[Settings]:
    """Settings for a new database that is made from this one, and goes afterwards."""
    name = f"nexus_scratch_{secrets.token_hex(6)}"
    query(settings, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield settings.model_copy(update={"database_url": renamed(str(settings.database_url), name)})
    finally:
        query(settings, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def scratch(settings: Settings) -> Iterator[Settings]:
    """Settings for an empty database, which goes with the test."""
    with copy_of("template1", settings) as scratch:
        yield scratch


@pytest.fixture(scope="session")
def migrated(settings: Settings) -> Iterator[str]:
    """The name of a database that the migrations built and nobody uses."""
    with copy_of("template1", settings) as scratch:
        History.of(scratch).migrate()
        assert scratch.direct
        yield scratch.direct.parameters["dbname"]


@pytest.fixture
def shop(settings: Settings, migrated: str) -> Iterator[Settings]:
    """Settings for an empty shop, which goes with the test."""
    with copy_of(migrated, settings) as shop:
        yield shop


@pytest.fixture(scope="session")
def settings(database_url: str, request: pytest.FixtureRequest) -> Settings:
    """Settings of a developer, for the run's database, which a pooler knows by the same name."""
    pooler = request.config.getoption("--pooler")
    return Settings(
        app_env="development",
        database_url=database_url,
        database_pool_url=pooler and renamed(pooler, database_url.partition("?")[0].rpartition("/")[2]),
        rate_limit_enabled=False,
        jwt_secret_key=secrets.token_urlsafe(48),
        receipt_secret_key=secrets.token_urlsafe(48),
        cors_origins="https://nexus.sales",  # type: ignore[arg-type]  # As the environment gives it.
    )


@pytest.fixture(scope="session")
def app(settings: Settings) -> Flask:
    """The application over the migrated database; every answer is held against its declaration."""
    History.of(settings).migrate()
    app = create_app(settings)
    # They are gone through from the last to the first, and this one is to see all that the others add.
    app.finishing.insert(0, as_declared(app))
    return app


@pytest.fixture(autouse=True)
def _empty(request: pytest.FixtureRequest) -> None:
    """Begin every test that uses the application with empty tables."""
    if "app" in request.fixturenames:
        request.getfixturevalue("app")
        settings: Settings = request.getfixturevalue("settings")
        if database.direct != settings.direct:
            # The test before this one made an application over another database.
            database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)
            database.direct = settings.direct
        with database.connection_context():
            for table in TABLES:
                database.execute_sql(f"DELETE FROM {table}")
            # No row of it can be deleted.
            if database.execute_sql("SELECT 1 FROM audit LIMIT 1").fetchone():
                database.execute_sql("TRUNCATE audit")


@pytest.fixture
def seller(app: Flask) -> Person:
    """Someone who sells."""
    return register(app, "seller@example.com")


@pytest.fixture
def rival(app: Flask) -> Person:
    """Someone else who sells."""
    return register(app, "rival@example.com")


@pytest.fixture
def stranger(app: Flask) -> Person:
    """Someone who is not signed in."""
    return Person(app)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return Path(__file__).parent.parent


def as_declared(app: Flask) -> Any:
    """Check that what an endpoint answers is what it declares and what the description of the API says."""
    adapters: dict[Any, TypeAdapter[Any]] = {}
    described = Described(app)

    def check(request: Any, response: Any) -> None:
        view = app.view_functions.get(request.endpoint or "")
        declared = getattr(view, "endpoint", None)
        described.hold(response)
        if response.mimetype == "application/problem+json":
            body = response.get_json()
            assert {**TypeAdapter(Failure).validate_python(body), **body} == body
            assert body["status"] == response.status_code
        elif declared and request.method != "OPTIONS":
            assert response.status_code in (declared.status, 304)
            if declared.answer and request.method != "HEAD" and response.status_code != 304:
                adapter = adapters.setdefault(declared.answer, TypeAdapter(declared.answer))
                body = response.get_json()
                assert adapter.validate_python(body, strict=True) == body

    return check
