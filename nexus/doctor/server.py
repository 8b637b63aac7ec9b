"""The server and the role: version, clock, locale, privileges, and connections for every worker."""

import time

from nexus.doctor.finding import Verdict, fail, ok, warn
from nexus.doctor.visit import Visit

OLDEST = 15
#: Seconds by which the clocks may differ: tokens use ours, and rows the server's.
APART = 2.0
#: Connections of `flask migrate`.
COMMANDS = 2

RIGHTS_OF_OWNER = """
SELECT has_schema_privilege(n.oid, 'CREATE'), quote_ident(n.nspname), quote_ident(current_user),
       array(SELECT quote_ident(relname) FROM pg_class
             WHERE relnamespace = n.oid AND relkind IN ('r', 'p') AND NOT pg_has_role(relowner, 'USAGE')
             ORDER BY relname)
FROM pg_namespace n WHERE nspname = current_schema()
"""

RIGHTS_OF_USER = """
SELECT quote_ident(n.nspname), quote_ident(current_user),
       array(SELECT relname::text FROM pg_class
             WHERE relnamespace = n.oid AND relkind IN ('r', 'p') AND NOT (
                 has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
                 AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
             ORDER BY relname)
FROM pg_namespace n WHERE nspname = current_schema()
"""

ROOM = """
SELECT current_setting('max_connections')::int
       - current_setting('superuser_reserved_connections')::int
       - coalesce(current_setting('reserved_connections', true), '0')::int,
       CASE WHEN rolsuper THEN -1 ELSE rolconnlimit END,
       CASE WHEN rolsuper THEN -1 ELSE datconnlimit END,
       (SELECT count(*) FROM pg_stat_activity
        WHERE datid IS NOT NULL AND (usename, datname) IS DISTINCT FROM (session_user, current_database()))
FROM pg_roles, pg_database WHERE rolname = session_user AND datname = current_database()
"""


def version(visit: Visit) -> Verdict:
    """Whether the server is new enough."""
    ((number, name),) = visit.ask(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version')"
    )
    if number < OLDEST * 10_000:
        return fail(f"PostgreSQL {name}", f"upgrade it: Nexus needs PostgreSQL {OLDEST} or newer")
    return ok(f"PostgreSQL {name}")


def clock(visit: Visit) -> Verdict:
    """Whether the server's time equals ours, within the accuracy of a round trip."""
    before = time.time()
    ((theirs,),) = visit.ask("SELECT extract(epoch FROM clock_timestamp())::float")
    after = time.time()
    doubt = (after - before) / 2
    apart = theirs - (before + after) / 2
    if abs(apart) - doubt > APART:
        direction = "ahead of" if apart > 0 else "behind"
        return warn(f"the server is {abs(apart):.0f} s {direction} this machine", "run NTP on both machines")
    return ok(f"the same as this machine's, to {abs(apart) + doubt:.2f} s")


def locale(visit: Visit) -> Verdict:
    """Whether lower() works beyond ASCII, which the comparison of e-mail addresses needs."""
    ((encoding, name),) = visit.ask("""
        SELECT current_setting('server_encoding'),
               coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', datctype)
        FROM pg_database d WHERE datname = current_database()
    """)
    detail = f"{encoding}, {name}"
    advice = "create the database again, with TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
    if encoding != "UTF8":
        return fail(f"{detail} cannot store every character", advice)
    # IVAN in Cyrillic, in upper and lower case.
    ((lowers,),) = visit.ask(r"SELECT lower(U&'\0418\0412\0410\041D') = U&'\0438\0432\0430\043D'")
    if not lowers:
        return fail(f"{detail}: lower() does not know Cyrillic, so e-mails are case-sensitive there", advice)
    return ok(f"{detail}: lower() knows Cyrillic")


def rights(visit: Visit) -> Verdict:
    """Whether the role has its privileges: to migrate with one URL, to read and write rows with the other."""
    rows = visit.ask(RIGHTS_OF_USER if visit.pooled else RIGHTS_OF_OWNER)
    if not rows:
        ((path,),) = visit.ask("SELECT current_setting('search_path')")
        return fail(
            f"no schema in the search_path {path} exists", "CREATE SCHEMA, or correct schema= in the URL"
        )
    if visit.pooled:
        ((schema, role, closed),) = rows
        # Only migrations write its rows.
        closed = [table for table in closed if table != "migratehistory"]
        if closed:
            grant = f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};"
            return fail(f"{role} may not read and write {', '.join(closed)}", f"as their owner: {grant}")
        return ok(f"{role} may read and write every table of {schema}")
    ((creates, schema, role, foreign),) = rows
    if not creates:
        grant = f"GRANT CREATE ON SCHEMA {schema} TO {role};"
        return fail(f"{role} may not create objects in schema {schema}", f"as its owner: {grant}")
    if foreign:
        changes = [f"ALTER TABLE {schema}.{table} OWNER TO {role};" for table in foreign]
        advice = "\n".join(["as their owner, or as a superuser:", *changes])
        return fail(f"{', '.join(foreign)}: owned by another role than {role}", advice)
    return ok(f"{role} may create objects in schema {schema}, and owns its tables")


def connections(visit: Visit) -> Verdict:
    """Whether the server allows all the connections that the workers may open."""
    settings = visit.settings
    workers = settings.web_concurrency * settings.pool_size
    sum_of = f"WEB_CONCURRENCY {settings.web_concurrency} x {settings.pool_size} each"
    if visit.pooled and visit.pooling == "transaction":
        return ok(f"{workers} to the pooler ({sum_of}), whose max_client_conn must allow them")
    if visit.pooled:
        need = workers
    elif settings.database_pool_url:
        need, sum_of = COMMANDS, "for commands; the workers use DATABASE_POOL_URL"
    else:
        need, sum_of = workers + COMMANDS, f"{sum_of}, and {COMMANDS} for commands"
    ((most, of_role, of_database, others),) = visit.ask(ROOM)
    room = min(limit for limit in (most, of_role, of_database) if limit >= 0)
    detail = f"{need} needed ({sum_of}), {room} allowed, {others} of {most} used by others"
    advice = "lower WEB_CONCURRENCY or DATABASE_POOL_SIZE, raise the server's limit, or use a pooler"
    if need > room:
        return fail(detail, advice)
    if need + others > most:
        return warn(detail, advice)
    return ok(detail)
