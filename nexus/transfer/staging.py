"""Staging tables for the rows of a file, and the checks that need all of the rows."""

from collections.abc import Collection
from io import BytesIO
from typing import Any

from nexus.models.users import ADMIN
from nexus.transfer.intake import Cells
from nexus.transfer.problems import Problem, Problems
from nexus.transfer.tables import TABLES, USERS, Field, Kind, Table

#: Times print alike on both sides, the role's timeouts do not apply, and locks time out after ten seconds.
SETTINGS = """
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, YMD';
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL lock_timeout = '10s';
SET LOCAL work_mem = '64MB';
"""


class Staging:
    """Temporary tables with the rows of a file and their offsets, dropped at the end of the transaction."""

    def __init__(self, cursor: Any) -> None:
        """Take a cursor in a transaction, and create the tables."""
        self.cursor = cursor
        #: By table: the numbers of rows in the file, and of those that the database already has.
        self.read: dict[str, int] = {table.name: 0 for table in TABLES}
        self.there: dict[str, int] = {table.name: 0 for table in TABLES}
        cursor.execute(SETTINGS)
        for table in TABLES:
            columns = ", ".join(f"{field.column} {field.kind.type}" for field in table.fields)
            cursor.execute(
                f"CREATE TEMP TABLE {staged(table)} (place bigint, given smallint, {columns},"
                " orphan boolean NOT NULL DEFAULT false, there boolean NOT NULL DEFAULT false) ON COMMIT DROP"
            )

    def load(self, table: Table, cells: Cells) -> None:
        """Load rows."""
        lines = zip(map(str, cells.places), map(str, cells.given), *cells.columns, strict=True)
        text = "\n".join(map("\t".join, lines)) + "\n"
        names = ", ".join(("place", "given", *table.columns))
        self.cursor.copy_expert(f"COPY {staged(table)} ({names}) FROM STDIN", BytesIO(text.encode()))
        self.read[table.name] += len(cells.places)

    def settle(self) -> None:
        """After all rows are loaded: mark those that the database already has, and orphans."""
        for table in TABLES:
            self.cursor.execute(f"ANALYZE {staged(table)}")
            self.cursor.execute(
                f"UPDATE {staged(table)} s SET there = true FROM {table.name} t WHERE t.id = s.id"
            )
            self.there[table.name] = self.cursor.rowcount
            for field in table.fields:
                if field.orphans:
                    self.cursor.execute(
                        f"UPDATE {staged(table)} s SET orphan = true WHERE {_dangling(field)}"
                    )

    def orphans(self, table: Table, problems: Problems) -> None:
        """Report the rows that refer to rows that never existed."""
        for field in table.fields:
            if field.orphans:
                select = f"SELECT s.place, s.{field.column} FROM {staged(table)} s WHERE s.orphan"
                self._report(
                    table,
                    field,
                    select,
                    f"no {field.references} row has the id {{}} (see --orphans)",
                    problems,
                )

    def check(self, table: Table, problems: Problems) -> None:
        """Report duplicate rows, violations of uniqueness, and dangling references."""
        self.duplicates(table, problems)
        for field in table.fields:
            if field.unique:
                self._unique(table, field, problems)
            if field.references and not field.orphans:
                select = f"SELECT s.place, s.{field.column} FROM {staged(table)} s WHERE {_dangling(field)}"
                self._report(table, field, select, f"no {field.references} row has the id {{}}", problems)
            if field.together:
                select = (
                    f"SELECT s.place, s.{field.column} FROM {staged(table)} s JOIN {field.references} r"
                    f" ON r.id = s.{field.column} WHERE NOT s.there AND s.id IS NOT NULL"
                )
                reason = f"the {field.references} row {{}} is already in the database, without this row"
                self._report(table, field, select, reason, problems)

    def duplicates(self, table: Table, problems: Problems) -> None:
        """Report the rows whose id appeared earlier in the file."""
        select = (
            f"SELECT s.place, s.id FROM {staged(table)} s JOIN (SELECT id, min(place) AS first"
            f" FROM {staged(table)} WHERE id IS NOT NULL GROUP BY id HAVING count(*) > 1) d USING (id)"
            " WHERE s.place > d.first"
        )
        self._report(table, table.id, select, "appears in the file more than once", problems)

    def differences(
        self, table: Table, problems: Problems, *, refused: Collection[tuple[int | None, str | None]] = ()
    ) -> None:
        """Report the fields that differ between the database and the file.

        `refused`: offsets and fields whose value was invalid and staged as NULL; they are not differences.
        """
        compared = ", ".join(
            f"('{field.wire}', {wanted(field)}::text, t.{field.column}::text, {_differs(table, field)})"
            for field in table.fields[1:]
        )
        any_of = " OR ".join(_differs(table, field) for field in table.fields[1:])
        self.cursor.execute(
            "SELECT s.place, d.field, d.file, d.found, count(*) OVER ()"
            f" FROM {staged(table)} s JOIN {table.name} t ON t.id = s.id"
            f" CROSS JOIN LATERAL (VALUES {compared}) d (field, file, found, differs)"
            f" WHERE ({any_of}) AND d.differs ORDER BY s.place LIMIT {problems.limit}"
        )
        secret = {field.wire for field in table.fields if field.kind is Kind.HASH}
        rows = self.cursor.fetchall()
        more = rows[0][-1] - len(rows) if rows else 0
        for place, field, file, found, _ in rows:
            if (place, field) in refused:
                continue
            reason = f"is {_shown(file)} in the file and {_shown(found)} in the database"
            if field in secret:
                reason = "is a different hash in the file than in the database"
            problems.add(Problem(place, table.name, field, reason), more=more)
            more = 0

    def missing(self, table: Table, problems: Problems) -> None:
        """Report the rows that the database does not have."""
        select = (
            f"SELECT s.place, s.id FROM {staged(table)} s"
            f" WHERE NOT EXISTS (SELECT FROM {table.name} t WHERE t.id = s.id)"
        )
        self._report(table, table.id, select, "is not in the database", problems)

    def admins(self) -> int:
        """The number of new accounts that are admins."""
        self.cursor.execute(f"SELECT count(*) FROM {staged(USERS)} WHERE role = '{ADMIN}' AND NOT there")
        (count,) = self.cursor.fetchone()
        return int(count)

    def _unique(self, table: Table, field: Field, problems: Problems) -> None:
        rule = str(field.unique)
        ours, theirs = (rule.format(f"{alias}.{field.column}") for alias in "st")
        same = "the same" if rule == "{}" else "the same except for case"
        # Duplicate rows are a problem of their own, so the ids must differ. Each row names one other,
        # however many there are.
        in_file = (
            "SELECT s.place, CASE s.id::text WHEN d.first THEN d.last ELSE d.first END"
            f" FROM {staged(table)} s JOIN (SELECT {ours} AS value, min(s.id::text) AS first,"
            f" max(s.id::text) AS last FROM {staged(table)} s WHERE s.{field.column} IS NOT NULL"
            f" GROUP BY {ours} HAVING min(s.id::text) <> max(s.id::text)) d ON d.value = {ours}"
        )
        in_database = (
            f"SELECT s.place, t.id FROM {staged(table)} s JOIN {table.name} t"
            f" ON {theirs} = {ours} AND t.id <> s.id"
        )
        for where, select in (("file", in_file), ("database", in_database)):
            self._report(table, field, select, f"is {same} as that of row {{}} of the {where}", problems)

    def _report(self, table: Table, field: Field, select: str, reason: str, problems: Problems) -> None:
        self.cursor.execute(
            f"SELECT q.*, count(*) OVER () FROM ({select}) q (place, detail)"
            f" ORDER BY q.place LIMIT {problems.limit}"
        )
        rows = self.cursor.fetchall()
        for number, (place, detail, count) in enumerate(rows):
            more = count - len(rows) if number == 0 else 0
            problems.add(Problem(place, table.name, field.wire, reason.format(detail)), more=more)


def staged(table: Table) -> str:
    """The name of the staging table for a table."""
    return f"staged_{table.name}"


def is_given(table: Table, field: Field) -> str:
    """SQL for whether a staged row `s` has a field that old rows may lack."""
    return f"s.given & {table.given((field.wire,))} <> 0"


def wanted(field: Field) -> str:
    """SQL for what the database should have for a field of a staged row `s`."""
    return f"CASE WHEN NOT s.orphan THEN s.{field.column} END" if field.orphans else f"s.{field.column}"


def _differs(table: Table, field: Field) -> str:
    distinct = f"t.{field.column} IS DISTINCT FROM {wanted(field)}"
    return f"({is_given(table, field)} AND {distinct})" if field.default else f"({distinct})"


def _dangling(field: Field) -> str:
    """SQL for whether the row to which a staged row `s` refers is neither in the file nor in the database."""
    return f"s.{field.column} IS NOT NULL" + "".join(
        f" AND NOT EXISTS (SELECT FROM {there} r WHERE r.id = s.{field.column})"
        for there in (f"staged_{field.references}", field.references)
    )


def _shown(text: str | None) -> str:
    if text is None:
        return "null"
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
