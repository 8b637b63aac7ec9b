"""The database of a test run, the application with that database, and its users."""

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
from hypothesis import settings as hypothesis_settings
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

#: Settings in the environment of this machine or a developer's shell must not affect the tests.
for name in Settings.model_fields:
    value = os.environ.pop(name.upper(), None)
    if name == "database_url":
        GIVEN_URL = value
# A person's Python buffers its output, and fails to write it at another moment.
os.environ.pop("PYTHONUNBUFFERED", None)

# An xdist worker, or a background process of a shell, ignores Ctrl-C, and so would its children.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadline for a single example.
hypothesis_settings.register_profile("nexus", deadline=None)
hypothesis_settings.load_profile("nexus")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options --long and --pooler."""
    parser.addoption("--long", action="store_true", help="also run the tests that take long")
    parser.addoption(
        "--pooler", help="URL of a pooler in front of DATABASE_URL's server, for the application"
    )


def pytest_xdist_auto_num_workers() -> int:
    """Return one process more than there are processors, since tests spend a fifth of their time waiting."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_finish() -> None:
    """Exclude everything loaded by now, which is needed until the end, from garbage collection."""
    gc.freeze()


def pytest_configure_node(node: Any) -> None:
    """Pass DATABASE_URL to the xdist workers, since it has been removed from the environment."""
    node.workerinput["database_url"] = GIVEN_URL


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip tests marked `long`, unless --long is given."""
    if not config.getoption("--long"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="takes longer; runs with --long"))


@pytest.fixture(scope="session")
def database_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """A separate database for this process, on the server of DATABASE_URL or an embedded one."""
    given_url = getattr(pytestconfig, "workerinput", {}).get("database_url", GIVEN_URL)
    if given_url is None:
        with tempfile.TemporaryDirectory(dir=memory_folder()) as folder:
            # The embedded server may run as another user.
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
        # From template0: only its copies may have a locale other than the server's.
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'")
        try:
            yield renamed(given_url, name)
        finally:
            database.close_idle()
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def memory_folder() -> Path | None:
    """Return a folder in memory if it has room: tests create and drop hundreds of databases."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > 4 << 30 else None


def renamed(url: str, name: str) -> str:
    """Return the URL with another database name."""
    address, _, options = url.partition("?")
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/{name}" + (f"?{options}" if options else "")


@contextmanager
def created(settings: Settings, options: str = "") -> Iterator[Settings]:
    """Yield settings for a new database, created with these options and dropped afterwards."""
    name = f"nexus_scratch_{secrets.token_hex(6)}"
    query(settings, f"CREATE DATABASE {name} {options}")
    try:
        yield settings.model_copy(update={"database_url": renamed(str(settings.database_url), name)})
    finally:
        query(settings, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def scratch(settings: Settings) -> Iterator[Settings]:
    """Settings for an empty database, which is dropped after the test."""
    with created(settings) as scratch:
        yield scratch


@pytest.fixture(scope="session")
def migrated(settings: Settings) -> Iterator[str]:
    """The name of a migrated database without connections, to be used as a template."""
    with created(settings) as scratch:
        History.of(scratch).migrate()
        assert scratch.direct
        yield scratch.direct.parameters["dbname"]


@pytest.fixture
def shop(settings: Settings, migrated: str) -> Iterator[Settings]:
    """Settings for an empty shop, which is dropped after the test."""
    with created(settings, f"TEMPLATE {migrated}") as shop:
        yield shop


@pytest.fixture(scope="session")
def settings(database_url: str, request: pytest.FixtureRequest) -> Settings:
    """Development settings for the database of the test run, which has the same name behind a pooler."""
    pooler = request.config.getoption("--pooler")
    return Settings(
        app_env="development",
        database_url=database_url,
        database_pool_url=pooler and renamed(pooler, database_url.partition("?")[0].rpartition("/")[2]),
        rate_limit_enabled=False,
        jwt_secret_key=secrets.token_urlsafe(48),
        receipt_secret_key=secrets.token_urlsafe(48),
        cors_origins="https://nexus.sales",  # type: ignore[arg-type]  # As in the environment.
    )


@pytest.fixture(scope="session")
def app(settings: Settings) -> Flask:
    """The application with the migrated database; every response is checked against its declaration."""
    History.of(settings).migrate()
    app = create_app(settings)
    # These run in reverse order, and the check must see everything that the others add.
    app.finishing.insert(0, as_declared(app))
    return app


@pytest.fixture(autouse=True)
def _empty(request: pytest.FixtureRequest) -> None:
    """Begin every test that uses the application with empty tables."""
    if "app" in request.fixturenames:
        request.getfixturevalue("app")
        settings: Settings = request.getfixturevalue("settings")
        if database.direct != settings.direct:
            # The previous test created an application with another database.
            database.configure(settings.pooled, size=settings.pool_size, wait=settings.pool_wait)
            database.direct = settings.direct
        with database.connection_context():
            for table in TABLES:
                database.execute_sql(f"DELETE FROM {table}")
            # A trigger forbids deleting its rows.
            if database.execute_sql("SELECT 1 FROM audit LIMIT 1").fetchone():
                database.execute_sql("TRUNCATE audit")


@pytest.fixture
def seller(app: Flask) -> Person:
    """A seller."""
    return register(app, "seller@example.com")


@pytest.fixture
def rival(app: Flask) -> Person:
    """Another seller."""
    return register(app, "rival@example.com")


@pytest.fixture
def stranger(app: Flask) -> Person:
    """A client that is not signed in."""
    return Person(app)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return Path(__file__).parent.parent


def as_declared(app: Flask) -> Any:
    """Check every response against the endpoint's declaration and the description of the API."""
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
