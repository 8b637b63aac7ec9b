"""Parsing database URLs: libpq's parameters, and those of Prisma that libpq would reject."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode

from psycopg2 import ProgrammingError
from psycopg2.extensions import parse_dsn

PRISMA = ("pgbouncer", "connection_limit", "pool_timeout", "schema")
FLAGS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True)
class DatabaseURL:
    """The psycopg2 parameters of a database, and what its URL sets for our pool."""

    #: Keyword arguments of `psycopg2.connect`.
    parameters: dict[str, str]
    #: `pgbouncer=true`: transactions of one client may run on several server connections.
    pgbouncer: bool = False
    connection_limit: int | None = None
    pool_timeout: int | None = None

    @classmethod
    def parse(cls, url: str) -> "DatabaseURL":
        """Parse `postgresql://...`; a ValueError says what is wrong, and never contains the password."""
        if not url.startswith(("postgresql://", "postgres://")):
            raise ValueError("must begin with postgresql:// or postgres://")
        # Split by hand: urlunsplit drops the empty host of postgresql:///name, which means a socket.
        address, _, text = url.partition("?")
        query = parse_qsl(text, keep_blank_values=True)
        credentials, _, _ = address.partition("://")[2].rpartition("@")
        if set("@/") & set(credentials) or any("@" in name for name, _ in query):
            # libpq would take part of the password for a host or a parameter, and quote it in its errors.
            raise ValueError(
                "has a character in user or password that must be encoded: @ as %40, / as %2F, ? as %3F"
            )
        ours = {name: value for name, value in query if name in PRISMA}
        theirs = [(name, value) for name, value in query if name not in PRISMA]
        libpq = f"{address}?{urlencode(theirs, quote_via=quote)}" if theirs else address
        try:
            parameters = {name: str(value) for name, value in parse_dsn(libpq).items()}
        except ProgrammingError as error:
            # Only this message of libpq quotes just a parameter; others quote the whole URL.
            reason = str(error).strip().removeprefix("invalid dsn: ")
            known = reason.startswith("invalid URI query parameter")
            raise ValueError(reason if known else "is not a URL that libpq can read") from None
        if not parameters.get("dbname"):
            raise ValueError("has no database name: end it with one, such as /nexus_sales_dev")
        pgbouncer = _flag("pgbouncer", ours.get("pgbouncer", "false"))
        if pgbouncer and "options" in parameters:
            raise ValueError("options= needs a direct URL; set them with ALTER ROLE ... SET")
        schema = ours.get("schema", "public")
        if schema != "public":
            if pgbouncer or "options" in parameters:
                raise ValueError("schema= needs a direct URL; set it with ALTER ROLE ... SET search_path")
            parameters["options"] = "-csearch_path=" + re.sub(r"([\\ ])", r"\\\1", schema)
        return cls(
            parameters,
            pgbouncer=pgbouncer,
            connection_limit=_count("connection_limit", ours, least=1),
            pool_timeout=_count("pool_timeout", ours, least=2),
        )


def _flag(name: str, value: str) -> bool:
    if value.lower() not in FLAGS:
        raise ValueError(f"{name}= must be true or false")
    return FLAGS[value.lower()]


def _count(name: str, given: dict[str, str], *, least: int) -> int | None:
    if name not in given:
        return None
    # Python refuses to convert thousands of digits to a number.
    is_short = given[name].isascii() and given[name].isdigit() and len(given[name]) <= 4
    if not (is_short and least <= int(given[name]) <= 1000):
        raise ValueError(f"{name}= must be a whole number from {least} to 1000")
    return int(given[name])
