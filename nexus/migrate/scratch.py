"""A scratch copy of a database on the same server, which is dropped after use."""

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from tempfile import TemporaryFile
from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn, quote_ident

from nexus import embedded
from nexus.database_url import DatabaseURL
from nexus.db.connection import connect
from nexus.db.outages import OUTAGES, reason
from nexus.errors import DatabaseUnavailable
from nexus.migrate.check import SchemaError
from nexus.migrate.history import History
from nexus.migrate.rows import TABLE
from nexus.postgres_programs import POOLED, ProgramMissing, find

PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin"}
#: Through jsonb, since the columns differ between versions.
LOCALE = (
    "SELECT to_jsonb(d), pg_encoding_to_char(encoding) FROM pg_database d WHERE datname = current_database()"
)
#: Set by pg_restore 17 and later, unknown to older servers; its error is ignored.
IGNORED = "transaction_timeout"
#: Privileges and owners are left out, so that any role can restore what it can read.
PLAIN = ("--no-owner", "--no-privileges", "--no-publications", "--no-subscriptions")


@contextmanager
def copied(history: History, *, data: bool) -> Iterator[DatabaseURL]:
    """A database with the schema and the history of another, and with its rows if `data`; dropped at the end.

    Raises SchemaError if the role may not create one, or pg_dump and pg_restore are missing or too old.
    """
    original = history.url or DatabaseURL.parse(embedded.url())
    if original.pgbouncer:
        raise SchemaError(POOLED)
    with _connected(original, history.wait) as connection:
        # The name tells whose copy it is, should we die before dropping it; names have at most 63 bytes.
        name = (
            f"{connection.info.dbname.encode()[:40].decode(errors='ignore')}_rehearsal_{secrets.token_hex(6)}"
        )
        copy = replace(original, parameters={**original.parameters, "dbname": name})
        version = connection.info.server_version // 10000
        try:
            programs = [str(find(program, server=version)) for program in ("pg_dump", "pg_restore")]
        except ProgramMissing as error:
            raise SchemaError(str(error)) from error
        cursor = connection.cursor()
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (TABLE,))
        (remembered,) = cursor.fetchone()
    try:
        with _connected(original, history.wait) as connection:
            _create(connection.cursor(), name)
        for options in _passes(data=data, remembered=remembered):
            _copy(programs, original, copy, [*options, f"--lock-wait-timeout={history.limits.lock}s"])
        yield copy
    finally:
        with _connected(original, history.wait) as connection:
            connection.cursor().execute(
                f"DROP DATABASE IF EXISTS {quote_ident(name, connection)} WITH (FORCE)"
            )


@contextmanager
def _connected(url: DatabaseURL, wait: int) -> Iterator[Any]:
    try:
        with closing(connect(url, wait=wait)) as connection:
            yield connection
    except OUTAGES as error:
        raise DatabaseUnavailable(reason(error)) from error


def _create(cursor: Any, name: str) -> None:
    """Create an empty database with the same encoding and locale, which determine how texts compare."""
    cursor.execute(LOCALE)
    found, encoding = cursor.fetchone()
    provider = PROVIDERS[found["datlocprovider"]]
    locale = found.get("datlocale") or found.get("daticulocale")
    own = f" {provider.upper()}_LOCALE %(locale)s" if locale else ""
    quoted = quote_ident(name, cursor).replace("%", "%%")
    try:
        cursor.execute(
            f"CREATE DATABASE {quoted} TEMPLATE template0 ENCODING %(encoding)s LOCALE_PROVIDER {provider}"
            f" LC_COLLATE %(collate)s LC_CTYPE %(ctype)s{own}",
            {
                "encoding": encoding,
                "collate": found["datcollate"],
                "ctype": found["datctype"],
                "locale": locale,
            },
        )
    except psycopg2.ProgrammingError as error:
        raise SchemaError(f"a scratch database cannot be created: {reason(error)}") from error


def _passes(*, data: bool, remembered: bool) -> Iterator[tuple[str, ...]]:
    """The options of successive dumps: the history's rows are needed even if no others are copied."""
    if data:
        yield ()
        return
    yield ("--schema-only",)
    if remembered:
        yield ("--data-only", f"--table={TABLE}")


def _copy(programs: list[str], original: DatabaseURL, copy: DatabaseURL, options: list[str]) -> None:
    dump, restore = programs
    with (
        TemporaryFile() as messages,
        _running(
            dump, original, "--format=custom", *PLAIN, *options, stdout=subprocess.PIPE, stderr=messages
        ) as source,
        _running(restore, copy, *PLAIN, stdin=source.stdout, stderr=messages) as sink,
    ):
        assert source.stdout
        # Our copy of the pipe is closed, or pg_dump would not notice that pg_restore has died.
        source.stdout.close()
        ended = [process.wait() for process in (source, sink)]
        messages.seek(0)
        output = messages.read().decode(errors="replace").splitlines()
    errors = [line for line in output if "error: " in line and IGNORED not in line]
    if errors or (any(ended) and not any(IGNORED in line for line in output)):
        why = " ".join((errors or output or ["no reason was given"])[0].split())
        raise SchemaError(f"the database cannot be copied: {why}")


@contextmanager
def _running(
    program: str, url: DatabaseURL, *options: str, **streams: Any
) -> "Iterator[subprocess.Popen[bytes]]":
    """One of PostgreSQL's programs, running on a database; it is killed at the end of the block."""
    parameters = dict(url.parameters)
    # Every user of the machine can read command lines.
    password = {"PGPASSWORD": parameters.pop("password")} if "password" in parameters else {}
    process = subprocess.Popen(  # noqa: S603 - a program of PostgreSQL, by its full path.
        [program, f"--dbname={make_dsn(**parameters)}", *options],
        env={**os.environ, "LC_ALL": "C", **password},
        **streams,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
