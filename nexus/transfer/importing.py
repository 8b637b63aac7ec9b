"""The import of a file, all or nothing, and its verification at any later time."""

import mmap
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.errors import LockNotAvailable, UndefinedColumn, UndefinedTable

from nexus.config import Settings
from nexus.db.connection import connect
from nexus.db.outages import OUTAGES, reason, sqlstate
from nexus.errors import DatabaseUnavailable
from nexus.transfer.fixes import Correction, Fixes
from nexus.transfer.intake import Intake
from nexus.transfer.problems import Problem, Problems, TransferError, outdated
from nexus.transfer.proof import Digest, TableProof, compare, from_database
from nexus.transfer.reading import Broken, File
from nexus.transfer.staging import Staging
from nexus.transfer.tables import TABLES
from nexus.transfer.writing import Advance, lock, write

#: How many times a progress bar counts the file's bytes, in an import and in a verification.
IMPORT_PASSES, VERIFY_PASSES = 3, 2


@dataclass
class Report:
    """What was done with a file, and whether the database matches it."""

    tables: list[TableProof] = field(default_factory=list)
    #: The rows that were kept although the rows that they refer to never existed.
    orphans: Problems = field(default_factory=lambda: Problems(0))
    corrections: list[Correction] = field(default_factory=list)
    problems: Problems = field(default_factory=lambda: Problems(0))
    #: The number of new accounts that are admins, which the operator should know.
    admins: int = 0
    #: Whether `Transfer.keep` commits the rows.
    kept: bool = False

    @property
    def proven(self) -> bool:
        """Whether file and database were compared; a file with problems is not."""
        return all(table.columns for table in self.tables)

    @property
    def holds(self) -> bool:
        """Whether nothing was wrong and both sides are equal."""
        return not self.problems.count and all(table.holds for table in self.tables)


class Transfer:
    """One file and one transaction, on a separate connection through the direct URL."""

    def __init__(self, file: File, connection: Any, *, fixes: Fixes, limit: int, advance: Advance) -> None:
        """Take the file, the corrections, the maximum number of listed problems, and a progress callback."""
        self.file = file
        self.connection = connection
        self.fixes = fixes
        self.advance = advance
        self.problems = Problems(limit)
        self.orphans = Problems(limit)
        self.digests = {table.name: Digest(table) for table in TABLES}

    def import_(self, *, currency: str, keep_orphans: bool, dry_run: bool) -> Report:
        """Insert the missing rows and verify them; `keep` then commits, unless it was a dry run or failed."""
        with self.connection.cursor() as cursor:
            staging = Staging(cursor)
            if self._stage(staging):
                lock(cursor)
                staging.settle()
                self._check(staging, keep_orphans=keep_orphans)
            if self.problems.count:
                report = self._report(staging)
            else:
                written = write(staging, currency=currency, size=self.file.size, advance=self.advance)
                report = self._prove(staging, written)
                report.admins = staging.admins()
        report.kept = report.holds and not dry_run
        return report

    def keep(self, report: Report) -> None:
        """Commit the rows, if the report says so."""
        if report.kept:
            self.connection.commit()

    def verify(self) -> Report:
        """Compare the file with a snapshot of the database."""
        self.connection.set_session(isolation_level="REPEATABLE READ")
        with self.connection.cursor() as cursor:
            staging = Staging(cursor)
            if not self._stage(staging) or self.problems.count:
                self._join(self.problems.empty())
                return self._report(staging)
            staging.settle()
            found = self.problems.empty()
            for table in TABLES:
                staging.duplicates(table, found)
                staging.orphans(table, self.orphans)
            self._join(found)
            return self._prove(staging, {})

    def _stage(self, staging: Staging) -> bool:
        """Load every row; False if the file could not be read to its end."""
        intake = Intake(self.fixes, self.problems)
        position = 0
        try:
            for batch in self.file.batches():
                cells = intake.cells(batch)
                staging.load(batch.table, cells)
                if not self.problems.count:
                    self.digests[batch.table.name].add(cells.columns)
                self.advance(batch.places[-1] - position)
                position = batch.places[-1]
        except Broken as broken:
            name = broken.table.name if broken.table else None
            self.problems.add(Problem(broken.place, name, None, str(broken), id=broken.identity))
            self._join(self.problems.empty())
            return False
        self.advance(self.file.size - position)
        self.fixes.unused(self.problems)
        return True

    def _check(self, staging: Staging, *, keep_orphans: bool) -> None:
        found = self.problems.empty()
        refused = {(problem.place, problem.field) for problem in self.problems.found}
        for table in TABLES:
            staging.check(table, found)
            staging.differences(table, found, refused=refused)
            staging.orphans(table, self.orphans if keep_orphans else found)
        self._join(found)

    def _join(self, found: Problems) -> None:
        self.problems.join(found, file=self.file)
        self.orphans.join(self.orphans.empty(), file=self.file)

    def _prove(self, staging: Staging, written: dict[str, int]) -> Report:
        report = self._report(staging, written)
        unequal = self.problems.empty()
        for table, proof in zip(TABLES, report.tables, strict=True):
            compare(proof, self.digests[table.name], from_database(staging.cursor, table))
            if not proof.holds:
                staging.missing(table, unequal)
                staging.differences(table, unequal)
            self.advance(self.file.size // len(TABLES))
        self._join(unequal)
        return report

    def _report(self, staging: Staging, written: dict[str, int] | None = None) -> Report:
        tables = [
            TableProof(
                table.name,
                read=staging.read[table.name],
                written=(written or {}).get(table.name, 0),
                already_there=staging.there[table.name],
            )
            for table in TABLES
        ]
        return Report(tables, self.orphans, self.fixes.made, self.problems)


@contextmanager
def opened(
    path: Path, settings: Settings, *, fixes: Path | None, limit: int, advance: Advance
) -> Iterator[Transfer]:
    """A file and a transaction for it; TransferError or DatabaseUnavailable if that is not possible."""
    corrections = Fixes.load(fixes)
    if not path.is_file():
        raise TransferError(f"{path} is not a regular file: write the output of a pipe into one first")
    try:
        with path.open("rb") as source, closing(_mapped(source.fileno())) as data:
            file = File(data, lines=path.suffix.lower() == ".ndjson")
            with closing(connect(settings.direct, wait=settings.pool_wait)) as connection:
                connection.autocommit = False
                connection.set_client_encoding("UTF8")
                yield Transfer(file, connection, fixes=corrections, limit=limit, advance=advance)
    except LockNotAvailable as error:
        raise TransferError("the tables were locked for ten seconds: nothing was written") from error
    except (UndefinedTable, UndefinedColumn) as error:
        raise outdated(error) from error
    except (*OUTAGES, psycopg2.Error) as error:
        if sqlstate(error) is None:
            raise DatabaseUnavailable(reason(error)) from error
        raise TransferError(f"the database refused, and nothing was written: {reason(error)}") from error
    except OSError as error:
        raise TransferError(f"{path}: {error.strerror or error}") from error


def _mapped(descriptor: int) -> mmap.mmap:
    try:
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    except ValueError:
        raise TransferError("the file is empty") from None
