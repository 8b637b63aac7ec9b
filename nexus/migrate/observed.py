"""Observing migrations: the duration and the locks of each statement, and whom they block."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class.

from nexus.migrate.rows import TABLE
from nexus.migrate.running import INVALID, LIMIT, WATCH_CLIENT

#: PostgreSQL's table locks, weakest first.
MODES = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
HELD = (
    "SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted"
)

#: Statements of the runner, not reported.
MACHINERY = (INVALID, LIMIT, WATCH_CLIENT)
TRANSACTIONS = (
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT",
    "RELEASE",
    "SELECT pg_try_advisory",
    "SELECT set_config",
)

#: Comments, strings and quoted names, in which a semicolon does not end a statement; and the semicolon.
TOKEN = re.compile(
    r"""--[^\n]* | /\*.*?\*/ | [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*"
    | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ | ;""",
    re.DOTALL | re.VERBOSE,
)
COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class Lock:
    """A lock on a table that existed before the migration."""

    table: str
    mode: str

    @property
    def blocks(self) -> str | None:
        """Who has to wait until the transaction ends."""
        if self.mode == "AccessExclusiveLock":
            return "readers and writers"
        return "writers" if MODES.index(self.mode) >= MODES.index("ShareLock") else None


@dataclass(frozen=True)
class Statement:
    """A statement that has run."""

    sql: str
    seconds: float
    #: The strongest lock that it took on each table, unless the transaction already had one as strong.
    locks: tuple[Lock, ...]
    #: False: it ran outside a transaction, and its locks were released before they could be read.
    transaction: bool


def observing(tell: Callable[[Statement], object], tables: dict[int, str]) -> type[Cursor]:
    """A cursor class that reports each statement of a migration, with its locks on `tables`, given by oid."""

    class Observing(Cursor):
        def execute(self, query: Any, values: Any = None) -> None:
            if TABLE in query or query in MACHINERY or query.startswith(TRANSACTIONS):
                super().execute(query, values)
                return
            whole = self.mogrify(query, values).decode()
            inside = self.connection.info.transaction_status != TRANSACTION_STATUS_IDLE
            # Not split outside a transaction, where the statements of a text form one implicit transaction.
            for sql in statements(whole) if inside else [whole]:
                before = self._held()
                start = time.perf_counter()
                super().execute(sql)
                seconds = time.perf_counter() - start
                now = self._held()
                new = {table: mode for table, mode in now.items() if mode > before.get(table, -1)}
                locks = tuple(Lock(table, MODES[mode]) for table, mode in sorted(new.items()))
                tell(Statement(sql, seconds, locks, inside))

        def _held(self) -> dict[str, int]:
            """The strongest lock on each table, as its index in MODES."""
            held: dict[str, int] = {}
            with self.connection.cursor(cursor_factory=Cursor) as cursor:
                cursor.execute(HELD)
                for relation, mode in cursor.fetchall():
                    if relation in tables:
                        table = tables[relation]
                        held[table] = max(held.get(table, -1), MODES.index(mode))
            return held

    return Observing


def statements(sql: str) -> Iterator[str]:
    """The statements of a text, each without its semicolon; comments alone do not count."""
    start = 0
    # The body of an SQL-standard function contains semicolons too.
    ends = [] if re.search(r"\bBEGIN\s+ATOMIC\b", sql, re.IGNORECASE) else TOKEN.finditer(sql)
    for end in [token.start() for token in ends if token[0] == ";"] + [len(sql)]:
        statement = sql[start:end].strip()
        if COMMENT.sub("", statement).strip():
            yield statement
        start = end + 1
