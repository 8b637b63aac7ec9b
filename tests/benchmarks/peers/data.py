"""The database of the benchmark: a separate cluster, filled once, and copied for each run."""

import hashlib
import io
import os
import pwd
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import bcrypt
import psycopg2

from nexus.config import ROOT
from nexus.security.passwords import hash_password
from tests.benchmarks.peers.contestants import CACHE, KEYS
from tests.ports import free_port

USERS, PRODUCTS, ORDERS = 1000, 100_000, 10_000
PASSWORD = "correct horse battery"
#: From the most frequent to the least.
WORDS = (
    *("course", "photo", "design", "music", "video", "icons", "guide", "lessons", "light", "colour"),
    *("курс", "уроки", "фото", "музыка", "дизайн", "книга", "practice", "template", "beginners", "portrait"),
    *("landscape", "guitar", "piano", "drawing", "painting", "writing", "poetry", "cooking", "garden"),
    *("travel", "history", "python", "javascript", "database", "statistics", "marketing", "yoga", "running"),
)
SYLLABLES = ("bar", "cel", "dor", "fin", "gul", "hem", "jor", "kal", "lin", "mos")
RARE = tuple("".join(three) for three in product(SYLLABLES, repeat=3))
FIRST, HALF_A_YEAR = datetime(2025, 2, 1, tzinfo=UTC), 180 * 86_400
#: Three with many matches, three with few.
SEARCHES = ("course", "photo", "design light", RARE[7], RARE[500], f"course {RARE[42]}")
#: The settings that differ from PostgreSQL's defaults.
SETTINGS = {"shared_buffers": "256MB", "max_connections": "300", "listen_addresses": "127.0.0.1"}

FILL_SESSIONS = """
INSERT INTO sessions (id, user_id, user_agent, address)
-- A UUID of version 4, as some services require.
SELECT overlay(overlay(md5('session ' || id) PLACING '4' FROM 13) PLACING 'a' FROM 17)::uuid, id,
    'benchmark', '127.0.0.1' FROM users
"""
FILL_ORDERS = """
INSERT INTO orders
    (id, seller_id, product_id, product_name, email, name, status, amount, currency, created_at)
SELECT md5('order ' || number)::uuid, user_id, products.id, name, 'buyer' || number || '@example.com',
    'Buyer ' || number, 'created', price, currency, timestamptz '2025-09-01' + number * interval '3 minutes'
FROM generate_series(1, %s) AS number JOIN products ON products.id = 1 + number * 7919 %% %s
"""
#: The peers write their events themselves, and hash passwords with bcrypt.
PREPARE_PEERS = """
DROP TRIGGER placed ON orders;
DROP TRIGGER moved ON orders;
UPDATE users SET password = %s;
"""


@contextmanager
def cluster() -> Iterator[str]:
    """Run a separate PostgreSQL with default durability, and yield the URL of the server."""
    root = os.geteuid() == 0
    # PostgreSQL refuses to run as root, and other users cannot enter root's home.
    home = Path("/var/lib/nexus-peers") if root else CACHE / "postgres"
    account = pwd.getpwnam("postgres") if root else None
    home.mkdir(parents=True, exist_ok=True)
    programs = _programs()

    def run(name: str, *arguments: str) -> None:
        user_options: dict[str, Any] = {"user": account.pw_uid, "group": account.pw_gid} if account else {}
        done = subprocess.run(
            [programs / name, *arguments],
            cwd=home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            **user_options,
        )
        if done.returncode:
            sys.exit(f"{name}: {done.stderr.decode(errors='replace').strip()[-300:]} ({home})")

    if account:
        os.chown(home, account.pw_uid, account.pw_gid)
    if not (home / "data").exists():
        run("initdb", "-D", "data", "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
    port = free_port()
    settings = SETTINGS | {"port": str(port), "unix_socket_directories": ""}
    options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
    run("pg_ctl", "start", "-w", "-D", "data", "-l", "log", "-o", options)
    try:
        yield f"postgresql://bench:bench@127.0.0.1:{port}"
    finally:
        run("pg_ctl", "stop", "-w", "-D", "data", "-m", "fast")


def databases(server: str) -> tuple[str, str]:
    """Create two databases with the same rows; return the product's URL and the peers'."""
    filled = f"filled_{_version()}"
    with closing(_connect(f"{server}/postgres")) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT FROM pg_database WHERE datname = %s", (filled,))
        if not cursor.rowcount:
            # Under a temporary name until it is complete.
            cursor.execute("DROP DATABASE IF EXISTS filling")
            cursor.execute("CREATE DATABASE filling")
            _fill(f"{server}/filling")
            cursor.execute(f"ALTER DATABASE filling RENAME TO {filled}")
        for name in ("product", "peers"):
            cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE {filled}")
    with closing(_connect(f"{server}/peers")) as connection:
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(10)).decode()
        cursor = connection.cursor()
        cursor.execute(PREPARE_PEERS, (hashed,))
        cursor.execute("VACUUM ANALYZE users")
    return f"{server}/product", f"{server}/peers"


def _fill(url: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "migrate"],
        cwd=ROOT,
        env={**os.environ, **KEYS, "APP_ENV": "production", "DATABASE_URL": url, "DATABASE_POOL_URL": ""},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    hashed = hash_password(PASSWORD)
    with closing(_connect(url)) as connection:
        cursor = connection.cursor()
        users = (f"{number}\tuser{number}@example.com\t{hashed}\n" for number in range(1, USERS + 1))
        _copy(cursor, "users (id, email, password)", users)
        columns = "products (id, user_id, name, description, price, currency, created_at, updated_at)"
        _copy(cursor, columns, _products())
        cursor.execute("SELECT setval(pg_get_serial_sequence('users', 'id'), %s)", (USERS,))
        cursor.execute("SELECT setval(pg_get_serial_sequence('products', 'id'), %s)", (PRODUCTS,))
        cursor.execute(FILL_SESSIONS)
        cursor.execute(FILL_ORDERS, (ORDERS, PRODUCTS))
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


def _products() -> Iterator[str]:
    """Generate COPY lines of products: names of about 35 letters, descriptions of about 240."""
    rng = random.Random(7)
    weights = [1 / rank for rank in range(1, len(WORDS) + 1)]
    for number in range(1, PRODUCTS + 1):
        words = rng.choices(WORDS, weights, k=40)
        words[rng.randrange(40)] = rng.choice(RARE)
        name = f"{' '.join(words[:5])} {number}".capitalize()
        at = FIRST + timedelta(seconds=rng.randrange(HALF_A_YEAR))
        seller, price = (number - 1) // 100 + 1, rng.randint(100, 99_999)
        yield f"{number}\t{seller}\t{name}\t{' '.join(words[5:]).capitalize()}.\t{price}\tUSD\t{at}\t{at}\n"


def _copy(cursor: Any, table: str, lines: Iterator[str]) -> None:
    cursor.copy_expert(f"COPY {table} FROM STDIN", io.StringIO("".join(lines)))


def _connect(url: str) -> Any:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    return connection


def _version() -> str:
    """Return a digest of the sources of the rows, so that other rows get another database name."""
    digest = hashlib.sha256()
    for file in [Path(__file__), *sorted(ROOT.glob("migrations/*.py"))]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _programs() -> Path:
    """Return the folder of the system's newest PostgreSQL, or of the one on the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if found:
        return found[-1]
    server = shutil.which("postgres")
    if server is None:
        sys.exit("PostgreSQL is not installed (postgresql on Debian): install it, or use --database")
    return Path(server).parent
