"""Backup and restore of the whole shop, with PostgreSQL's own programs."""

import errno
import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import IO

from psycopg2.extensions import make_dsn

from nexus import embedded
from nexus.config import Settings
from nexus.database_url import DatabaseURL
from nexus.db.connection import connect
from nexus.db.outages import OUTAGES, reason
from nexus.errors import DatabaseUnavailable
from nexus.migrate.rows import TABLE as HISTORY
from nexus.migrate.running import LOCK
from nexus.postgres_programs import POOLED, find, suitable
from nexus.transfer.problems import TransferError
from nexus.transfer.whole import stoppable

TABLES_HERE = """
SELECT current_database(), current_schema(), count(c.oid), coalesce(bool_or(relname = %s), false)
FROM pg_class c WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind IN ('r', 'p')
"""

#: Run before the backup's script: takes the migration lock and drops the schema's objects, so that newer
#: tables neither remain nor conflict. Fails if other schemas depend on them; objects of extensions are
#: skipped, and objects that belong to a table are dropped with it.
CLEARED = rf"""
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL lock_timeout = '10s';
SELECT pg_advisory_xact_lock({LOCK});
SELECT format('DROP %s %s', kind, string_agg(name, ', '))
FROM (
    SELECT 'pg_class'::regclass AS catalog, oid, relnamespace AS home, oid::regclass::text AS name,
        CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE'
            WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind
    FROM pg_class WHERE relkind IN ('v', 'm', 'f', 'r', 'p', 'S')
    UNION ALL
    SELECT 'pg_proc'::regclass, oid, pronamespace, oid::regprocedure::text, 'ROUTINE' FROM pg_proc
    UNION ALL
    SELECT 'pg_type'::regclass, oid, typnamespace, oid::regtype::text, 'TYPE'
    FROM pg_type WHERE typtype IN ('e', 'd', 'c', 'r')
    UNION ALL
    SELECT 'pg_collation'::regclass, oid, collnamespace, oid::regcollation::text, 'COLLATION'
    FROM pg_collation
) AS thing
WHERE home = quote_ident(current_schema())::regnamespace AND NOT EXISTS (
    SELECT FROM pg_depend WHERE classid = catalog AND objid = thing.oid AND deptype IN ('e', 'a', 'i')
)
GROUP BY kind
ORDER BY array_position(ARRAY[
    'VIEW', 'MATERIALIZED VIEW', 'FOREIGN TABLE', 'TABLE', 'SEQUENCE', 'ROUTINE', 'TYPE', 'COLLATION'
], kind)
\gexec
"""

#: Written by pg_restore 17 and later, unknown to older servers.
UNKNOWN = b"SET transaction_timeout = 0;\n"
#: PostgreSQL's error for a grant to a role that does not exist.
NO_ROLE = re.compile(r'role ".*" does not exist')
#: A program's error when the reader of its output has exited.
BROKEN_PIPE = os.strerror(errno.EPIPE)
#: pg_dump's progress messages with --verbose.
PROGRESS = re.compile(rb"pg_dump: (?!error|warning|hint|detail)")


class Server:
    """The database in the settings, for use by PostgreSQL's programs."""

    def __init__(self, settings: Settings) -> None:
        """Connect and inspect the database; DatabaseUnavailable if that fails."""
        try:
            url = settings.direct or DatabaseURL.parse(embedded.url())
            if url.pgbouncer:
                raise TransferError(POOLED)
            with closing(connect(url, wait=settings.pool_wait)) as connection:
                cursor = connection.cursor()
                cursor.execute(TABLES_HERE, (HISTORY,))
                self.database, schema, self.tables, self._shop = cursor.fetchone()
                self.version = int(connection.server_version) // 10000
        except OUTAGES as error:
            raise DatabaseUnavailable(reason(error)) from error
        if schema is None:
            raise TransferError("the role's search_path contains no existing schema")
        self.schema = str(schema)
        secret = url.parameters.get("password")
        # Everyone on the machine can see the arguments of a program, but only its owner its environment.
        self.address = make_dsn(
            **{name: url.parameters[name] for name in url.parameters if name != "password"}
        )
        self.environment = {
            "PGCONNECT_TIMEOUT": str(settings.pool_wait),
            **os.environ,
            **({"PGPASSWORD": secret} if secret is not None else {}),
            "LC_ALL": "C",
        }

    def back_up(self, path: Path, *, seen: Callable[[int], object] = lambda _: None) -> None:
        """Write the shop's schema into a file; `seen` is called for each table.

        Raises ProgramMissing and TransferError.
        """
        if not self._shop:
            raise TransferError(f"there is no shop in {self.database}, schema {self.schema}, to back up")
        schema = self.schema.replace('"', '""')
        # By name: on standard output pg_dump would write the table of contents twice.
        what = ["--format=custom", "--verbose", f'--schema="{schema}"', f"--file={path}"]
        with subprocess.Popen(  # noqa: S603 - a program of PostgreSQL, by its full path.
            [find("pg_dump", server=self.version), *what, "--no-password", f"--dbname={self.address}"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as program:
            try:
                output = _watched(program, seen)
            finally:
                program.kill()
        if program.returncode:
            raise TransferError(_reason(output))


class Backup:
    """A file that `Server.back_up` wrote."""

    def __init__(self, path: Path, *, server: Server) -> None:
        """Inspect the file; TransferError if it is not a shop's backup, ProgramMissing without pg_restore."""
        self._server = server
        # Absolute, so that no name is taken for an option.
        self._path = str(path.absolute())
        # A pg_restore of the server's version may not read a file that a newer pg_dump has written.
        for program in suitable("pg_restore", server=server.version):
            self._program = str(program)
            done = subprocess.run(  # noqa: S603 - a program of PostgreSQL, by its full path.
                [program, "--list", self._path], env=server.environment, capture_output=True, check=False
            )
            if not done.returncode:
                break
        else:
            raise TransferError(f"{path} is not a readable backup: {_reason(done.stderr)}")
        lines = done.stdout.decode(errors="replace").splitlines()
        if not any(f" TABLE {server.schema} {HISTORY} " in line for line in lines):
            raise TransferError(f"{path} contains no shop in the schema {server.schema}")
        #: The number of tables whose rows it contains.
        self.tables = sum(" TABLE DATA " in line for line in lines)
        #: The time of the backup, as pg_dump writes it.
        self.made = next(line.partition(" at ")[2] for line in lines if "Archive created at" in line)

    def restore(self, *, privileges: bool = True, seen: Callable[[int], object] = lambda _: None) -> None:
        """Restore the shop completely or, with a TransferError, not at all; `seen` is called for each table.

        Without `privileges` the grants are left out, since their roles may not exist here.

        pg_restore's own `--clean` would fail on tables that were created after the backup. So it only
        writes the script, and psql runs it after our own script that drops everything, in one transaction.
        """
        server = self._server
        reading = [self._program, "--file=-", f"--schema={server.schema}", "--no-owner"]
        reading += [*([] if privileges else ["--no-privileges"]), self._path]
        writing = [
            str(find("psql", server=server.version)),
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
        ]
        writing += ["--no-password", f"--dbname={server.address}"]
        with tempfile.TemporaryFile() as read_errors, tempfile.TemporaryFile() as write_errors:
            with (
                stoppable(),
                subprocess.Popen(  # noqa: S603
                    reading, env=server.environment, stdout=subprocess.PIPE, stderr=read_errors
                ) as script,
                subprocess.Popen(  # noqa: S603
                    writing,
                    env=server.environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=write_errors,
                ) as psql,
            ):
                _run(script, psql, unknown=UNKNOWN if server.version < 17 else b"", seen=seen)
            unread = _reason_in(read_errors)
            # For a truncated file psql would only report half a row, so pg_restore's error comes first.
            if script.returncode > 0 and BROKEN_PIPE not in unread:
                raise TransferError(f"nothing was restored: {unread}")
            if psql.returncode:
                why = _reason_in(write_errors)
                grants = "; --no-privileges leaves out the grants" if NO_ROLE.search(why) else ""
                raise TransferError(f"nothing was restored: {why}{grants}")


def _watched(program: "subprocess.Popen[bytes]", seen: Callable[[int], object]) -> bytes:
    """Wait for the end of pg_dump and call `seen` for each table; return its other messages."""
    output = b""
    assert program.stderr is not None
    for line in program.stderr:
        if b": dumping contents of table " in line:
            seen(1)
        elif not PROGRESS.match(line):
            output += line
    program.wait()
    return output


def _run(
    script: "subprocess.Popen[bytes]",
    psql: "subprocess.Popen[bytes]",
    *,
    unknown: bytes,
    seen: Callable[[int], object],
) -> None:
    """Let psql run the script of pg_restore, except the line `unknown`; commit when it is complete."""
    assert script.stdout is not None
    assert psql.stdin is not None
    try:
        # A broken pipe means that psql has exited, and it gives the reason itself.
        with suppress(BrokenPipeError):
            psql.stdin.write(CLEARED.encode())
            for line in script.stdout:
                if line != unknown:
                    psql.stdin.write(line)
                # This line ends the rows of each table, and is never a row.
                if line == b"\\.\n":
                    seen(1)
            # Only now, since a truncated script could not be told from a complete one.
            if script.wait() == 0:
                psql.stdin.write(b"COMMIT;\n")
            psql.stdin.close()
        psql.wait()
    except BaseException:
        psql.kill()
        raise
    finally:
        script.kill()
        with suppress(BrokenPipeError):
            psql.stdin.close()


def _reason_in(file: IO[bytes]) -> str:
    file.seek(0)
    return _reason(file.read())


def _reason(output: bytes) -> str:
    """The reason that a program gives: its first line with an error, with the detail, or else the last."""
    lines = output.decode(errors="replace").strip().splitlines() or ["it gave no reason"]
    first = next((number for number, line in enumerate(lines) if "error:" in line.lower()), len(lines) - 1)
    detail = [line for line in lines[first + 1 : first + 2] if line.startswith("DETAIL:")]
    return " ".join(" ".join([lines[first], *detail]).split())
