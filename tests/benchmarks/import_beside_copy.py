"""Compare an import with psql's \\copy: `python -m tests.benchmarks.import_beside_copy FILE DIRECTORY`."""

import argparse
import os
import re
import resource
import secrets
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from nexus.config import Settings, load_settings
from nexus.db.connection import connect
from nexus.migrate import History

TABLES = ("users", "products", "orders")
MAX_RATIO = 3
MAX_MEBIBYTES = 300


def time_copy(url: str, directory: Path) -> float:
    """Return the seconds that psql takes for the CSV files of `tests.benchmarks.dump`, in one transaction."""
    commands = []
    for table in TABLES:
        with (directory / f"{table}.csv").open(encoding="utf-8") as file:
            columns = file.readline().strip()
        path = directory / f"{table}.csv"
        commands += ["-c", rf"\copy {table} ({columns}) from '{path}' csv header null '\N'"]
    began = time.monotonic()
    subprocess.run(["psql", "-q1", "-v", "ON_ERROR_STOP=1", url, *commands], check=True)
    return time.monotonic() - began


def time_import(url: str, file: Path) -> float:
    """Return the seconds that `flask db import` takes, including its verification."""
    began = time.monotonic()
    command = [sys.executable, "-m", "flask", "db", "import", str(file)]
    subprocess.run(command, check=True, env={**os.environ, "DATABASE_URL": url}, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def main() -> int:
    """Measure both in new databases on the server of DATABASE_URL; return 1 if the import takes too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="the file written by `python -m tests.benchmarks.dump FILE`")
    parser.add_argument("csv", type=Path, help="the directory written with its --csv")
    given = parser.parse_args()
    os.environ.setdefault("APP_ENV", "development")
    settings = load_settings()
    if settings.database_url is None:
        sys.exit("DATABASE_URL is needed: a server on which databases may be created")
    names = [f"nexus_bench_{secrets.token_hex(4)}" for _ in range(2)]
    with closing(connect(settings.direct, wait=5)) as connection, connection.cursor() as cursor:
        urls = [re.sub("(://[^/]*/)[^?]*", rf"\g<1>{name}", str(settings.database_url)) for name in names]
        try:
            for name, url in zip(names, urls, strict=True):
                cursor.execute(f"CREATE DATABASE {name}")
                History.of(for_database(settings, url)).migrate()
            psql = time_copy(urls[0], given.csv.resolve())
            ours = time_import(urls[1], given.file)
        finally:
            for name in names:
                cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    mebibytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    ratio = ours / psql
    sys.stdout.write(f"psql \\copy {psql:.1f} s, flask db import {ours:.1f} s: {ratio:.2f} times as long")
    sys.stdout.write(f" (at most {MAX_RATIO}), {mebibytes} MiB at peak (at most {MAX_MEBIBYTES})\n")
    return int(ratio > MAX_RATIO or mebibytes > MAX_MEBIBYTES)


def for_database(settings: Settings, url: str) -> Settings:
    """Return the settings for another database."""
    return settings.model_copy(update={"database_url": url})


if __name__ == "__main__":
    sys.exit(main())
