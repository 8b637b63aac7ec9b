"""Copies of the whole shop for the day on which something goes wrong, by PostgreSQL's own programs."""

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

#: Run before the backup's script: take the migration lock and drop the schema's objects, so that newer tables
#: neither remain nor conflict. Fails if other schemas depend on them; objects of extensions are skipped, and
#: objects that belong to a table go with it.
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
#: How PostgreSQL says that somebody to whom something was granted is not there.
NO_ROLE = re.compile(r'role ".*" does not exist')
#: A program's error when the reader of its output has ended.
BROKEN_PIPE = os.strerror(errno.EPIPE)
#: pg_dump's progress messages under --verbose.
NEWS = re.compile(rb"pg_dump: (?!error|warning|hint|detail)")


class Server:
    """The settings' database, as PostgreSQL's programs reach it."""

    def __init__(self, settings: Settings) -> None:
        """Connect, to see what is there; DatabaseUnavailable where that fails."""
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
            raise TransferError("the role's search_path names no schema that is there")
        self.schema = str(schema)
        secret = url.parameters.get("password")
        # Everyone on the machine sees the arguments of a program; its environment is its owner's alone.
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
        """Write the shop's schema into a file, and tell `seen` of each table.

        Raises ProgramMissing and TransferError.
        """
        if not self._shop:
            raise TransferError(f"there is no shop in {self.database}, schema {self.schema}, to back up")
        schema = self.schema.replace('"', '""')
        # By name: into its standard output pg_dump would write the table of contents twice.
        what = ["--format=custom", "--verbose", f'--schema="{schema}"', f"--file={path}"]
        with subprocess.Popen(  # noqa: S603 - a program of PostgreSQL's, by its full path.
            [find("pg_dump", server=self.version), *what, "--no-password", f"--dbname={self.address}"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as program:
            try:
                said = _heard(program, seen)
            finally:
                program.kill()
        if program.returncode:
            raise TransferError(_complaint(said))


class Backup:
    """A file that `Server.back_up` wrote."""

    def __init__(self, path: Path, *, server: Server) -> None:
        """Look into the file; TransferError where it is none of a shop, ProgramMissing without pg_restore."""
        self._server = server
        # No name is taken for an option.
        self._path = str(path.absolute())
        # A pg_restore of the server's version may not read a file that a newer pg_dump has written.
        for program in suitable("pg_restore", server=server.version):
            self._program = str(program)
            done = subprocess.run(  # noqa: S603 - a program of PostgreSQL's, by its full path.
                [program, "--list", self._path], env=server.environment, capture_output=True, check=False
            )
            if not done.returncode:
                break
        else:
            raise TransferError(f"{path} is no backup that can be read: {_complaint(done.stderr)}")
        lines = done.stdout.decode(errors="replace").splitlines()
        if not any(f" TABLE {server.schema} {HISTORY} " in line for line in lines):
            raise TransferError(f"{path} holds no shop for the schema {server.schema}")
        #: How many tables have rows in it, or may have.
        self.tables = sum(" TABLE DATA " in line for line in lines)
        #: When it was made, as pg_dump writes it.
        self.made = next(line.partition(" at ")[2] for line in lines if "Archive created at" in line)

    def restore(self, *, privileges: bool = True, seen: Callable[[int], object] = lambda _: None) -> None:
        """Put the shop back as it was, all of it or, with a TransferError, nothing, and tell of each table.

        Without `privileges` nothing is granted that was: the roles may be unknown here.

        pg_restore's own `--clean` would stumble over tables that came after the backup. So it only writes
        the script, and psql runs it in one transaction after ours that clears the place.
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
        with tempfile.TemporaryFile() as said_reading, tempfile.TemporaryFile() as said_writing:
            with (
                stoppable(),
                subprocess.Popen(  # noqa: S603
                    reading, env=server.environment, stdout=subprocess.PIPE, stderr=said_reading
                ) as script,
                subprocess.Popen(  # noqa: S603
                    writing,
                    env=server.environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=said_writing,
                ) as psql,
            ):
                _run(script, psql, unknown=UNKNOWN if server.version < 17 else b"", seen=seen)
            unread = _said(said_reading)
            # For a truncated file psql would only report half a row, so pg_restore's error comes first.
            if script.returncode > 0 and BROKEN_PIPE not in unread:
                raise TransferError(f"nothing was restored: {unread}")
            if psql.returncode:
                why = _said(said_writing)
                grants = "; --no-privileges leaves out what is granted" if NO_ROLE.search(why) else ""
                raise TransferError(f"nothing was restored: {why}{grants}")


def _heard(program: "subprocess.Popen[bytes]", seen: Callable[[int], object]) -> bytes:
    """Wait for the end of a pg_dump, and tell of each table; what else it said, without its news."""
    said = b""
    assert program.stderr is not None
    for line in program.stderr:
        if b": dumping contents of table " in line:
            seen(1)
        elif not NEWS.match(line):
            said += line
    program.wait()
    return said


def _run(
    script: "subprocess.Popen[bytes]",
    psql: "subprocess.Popen[bytes]",
    *,
    unknown: bytes,
    seen: Callable[[int], object],
) -> None:
    """Let psql run what pg_restore writes but one line, and commit when both have come to the end of it."""
    assert script.stdout is not None
    assert psql.stdin is not None
    try:
        # A broken pipe is psql's end, for which it gives the reason itself.
        with suppress(BrokenPipeError):
            psql.stdin.write(CLEARED.encode())
            for line in script.stdout:
                if line != unknown:
                    psql.stdin.write(line)
                # No row is such a line, with which the rows of each table end.
                if line == b"\\.\n":
                    seen(1)
            # Only now: half a script ends like a whole one.
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


def _said(file: IO[bytes]) -> str:
    file.seek(0)
    return _complaint(file.read())


def _complaint(output: bytes) -> str:
    """What a program says is wrong: its first line that is marked so, with the detail, or else its last."""
    lines = output.decode(errors="replace").strip().splitlines() or ["it gave no reason"]
    first = next((number for number, line in enumerate(lines) if "error:" in line.lower()), len(lines) - 1)
    detail = [line for line in lines[first + 1 : first + 2] if line.startswith("DETAIL:")]
    return " ".join(" ".join([lines[first], *detail]).split())
