"""The tables: whether they match this code, how large they are, and how their indexes are used."""

from nexus.db import session
from nexus.doctor.finding import Verdict, fail, ok, warn
from nexus.doctor.visit import Visit
from nexus.migrate import History, MigrationError, names, pending
from nexus.migrate.check import SchemaError, differences, lines, unapplied

#: Rows from which an index matters.
LARGE = 10_000
#: Differences that are shown; `flask db check` lists all.
SHOWN = 3
#: Sequential scans of a table that are no longer a coincidence.
OFTEN = 100

TABLES = """
SELECT relname, pg_size_pretty(pg_total_relation_size(relid)), n_live_tup
FROM pg_stat_user_tables WHERE schemaname = current_schema()
ORDER BY pg_total_relation_size(relid) DESC, relname
"""

INVALID = """
SELECT quote_ident(c.relname)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND n.nspname = current_schema() ORDER BY 1
"""

UNUSED = """
SELECT quote_ident(s.indexrelname) || ' (' || pg_size_pretty(pg_relation_size(s.indexrelid)) || ')'
FROM pg_stat_user_indexes s JOIN pg_index i USING (indexrelid) JOIN pg_stat_user_tables t ON t.relid = s.relid
WHERE s.schemaname = current_schema() AND s.idx_scan = 0 AND NOT i.indisunique AND t.n_live_tup > %s
ORDER BY pg_relation_size(s.indexrelid) DESC, s.indexrelname
"""

SCANNED = """
SELECT relname || ' (' || seq_scan || ' times over ' || n_live_tup || ' rows)'
FROM pg_stat_user_tables
WHERE schemaname = current_schema() AND n_live_tup > %s
  AND seq_scan >= %s AND seq_scan > coalesce(idx_scan, 0) / 10
ORDER BY seq_tup_read DESC
"""


def migrations(_: Visit) -> Verdict:
    """Whether every migration of this code has been applied."""
    with session() as database:
        missing = pending(database)
    if missing:
        return fail(f"pending: {', '.join(missing)}", "flask migrate")
    return ok(f"all {len(names())} applied")


def drift(visit: Visit) -> Verdict:
    """Whether files, history, models and database agree, if nothing is pending."""
    history = History.of(visit.settings)
    try:
        if unapplied(history):
            return warn("not checked while migrations are pending", "flask migrate")
        found = history.problems() + lines(differences(history))
    except (MigrationError, SchemaError) as error:
        todo = "allow the role of DATABASE_URL to read migratehistory, and to create a schema for comparison"
        return warn(str(error), todo)
    if found:
        more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        return fail("; ".join(found[:SHOWN]) + more, "flask db check lists all; fix them by a migration")
    return ok("none: the database matches the models and the migrations")


def tables(visit: Visit) -> Verdict:
    """The sizes of the tables."""
    found = [f"{name} {size} ({rows:,} rows)" for name, size, rows in visit.ask(TABLES)]
    return ok(", ".join(found) or "none yet")


def invalid_indexes(visit: Visit) -> Verdict:
    """Indexes left by an interrupted CREATE INDEX CONCURRENTLY, which are maintained but never used."""
    found = [name for (name,) in visit.ask(INVALID)]
    if found:
        repairs = [f"REINDEX INDEX CONCURRENTLY {name};" for name in found]
        return fail(", ".join(found), "\n".join(["unless it is being built right now:", *repairs]))
    return ok("none")


def unused_indexes(visit: Visit) -> Verdict:
    """Indexes of large tables that no query has used since the statistics were last reset."""
    found = [name for (name,) in visit.ask(UNUSED, LARGE)]
    if found:
        advice = "if that is so after weeks of real traffic, drop them by a migration"
        return warn(", ".join(found), advice)
    return ok(f"none on tables of more than {LARGE:,} rows")


def missing_indexes(visit: Visit) -> Verdict:
    """Large tables that are often scanned sequentially."""
    found = [name for (name,) in visit.ask(SCANNED, LARGE, OFTEN)]
    if found:
        return warn(
            f"scanned sequentially: {', '.join(found)}",
            "find the query (docs/DATABASE.md, Slow queries), and add an index for it by a migration",
        )
    return ok(f"no table of more than {LARGE:,} rows is often scanned sequentially")
