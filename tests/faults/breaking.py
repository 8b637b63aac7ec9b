"""The faults: each begins, lasts as long as it is told to, and is over when its function returns."""

import os
import signal
import time
from contextlib import ExitStack, closing, suppress

import psycopg2

from tests.faults.clusters import Postgres
from tests.faults.proxy import Proxy

#: The connection of the service that has asked the server something last.
BUSY = "SELECT pid FROM pg_stat_activity WHERE usename = 'nexus' ORDER BY query_start DESC LIMIT 1"
#: The same, where it has been answered: one in the midst of its work could hold a latch that all others need.
IDLE = BUSY.replace("ORDER", "AND state = 'idle' ORDER")
#: Ends the connections of the service.
THROW_OUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE usename = 'nexus' AND application_name <> 'greedy'"
)


def restart(postgres: Postgres, *, mode: str, pause: float = 0) -> None:
    """Stop the server in one of pg_ctl's ways, and start it after some seconds."""
    postgres.stop(mode)
    time.sleep(pause)
    postgres.start()


def kill_backend(postgres: Postgres) -> None:
    """End one connection by -9, upon which the server throws out all others and recovers."""
    for (process,) in postgres.ask(BUSY):
        os.kill(process, signal.SIGKILL)


def kill_postmaster(postgres: Postgres) -> None:
    """End the server itself by -9, and start it."""
    postgres.kill()
    postgres.start()


def refuse_writes(postgres: Postgres, seconds: float) -> None:
    """Let every transaction be read-only, as on a server that has become a standby."""
    for value in ("on", "off"):
        postgres.ask(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        postgres.ask("SELECT pg_reload_conf()")
        time.sleep(seconds if value == "on" else 0)


def take_connections(postgres: Postgres, seconds: float) -> None:
    """Have every connection that there is, those that the service had included."""
    greedy = postgres.url(more="?application_name=greedy")
    with postgres.session() as superuser, ExitStack() as held:
        ended = time.monotonic() + seconds
        while time.monotonic() < ended:
            with suppress(psycopg2.OperationalError):
                while True:
                    held.enter_context(closing(psycopg2.connect(greedy)))
            # What the service has left goes to whoever connects first, and so to us in the end.
            superuser.execute(THROW_OUT)
            time.sleep(0.05)


def lock_orders(postgres: Postgres, seconds: float) -> None:
    """Hold a lock in which nobody else may touch an order."""
    with postgres.session() as cursor:
        cursor.execute("BEGIN; LOCK TABLE orders")
        time.sleep(seconds)


def freeze_backend(postgres: Postgres, seconds: float) -> None:
    """Stop a process of the server that works for the service, and let it go on."""
    for (process,) in postgres.ask(IDLE):
        os.kill(process, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(process, signal.SIGCONT)


def slow_down(proxy: Proxy, seconds: float) -> None:
    """Let everything take a tenth of a second longer, each way."""
    proxy.delay = 0.1
    time.sleep(seconds)
    proxy.delay = 0.0


def swallow(proxy: Proxy, seconds: float) -> None:
    """Let everything that is sent be taken and not arrive, until it does."""
    proxy.swallow()
    time.sleep(seconds)
    proxy.pass_on()


def reset(proxy: Proxy, times: int) -> None:
    """Break every connection, again and again."""
    for _ in range(times):
        proxy.reset()
        time.sleep(0.5)
