"""The faults: each function injects one for the given time, and returns when it is over."""

import os
import signal
import time
from contextlib import ExitStack, closing, suppress

import psycopg2

from tests.faults.clusters import Postgres
from tests.faults.proxy import Proxy

#: The service's connection with the most recent query.
BUSY = "SELECT pid FROM pg_stat_activity WHERE usename = 'nexus' ORDER BY query_start DESC LIMIT 1"
#: The most recent one that is idle: a busy backend could hold a latch that all others need.
IDLE = BUSY.replace("ORDER", "AND state = 'idle' ORDER")
#: Terminates the connections of the service.
TERMINATE_SERVICE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE usename = 'nexus' AND application_name <> 'greedy'"
)


def restart(postgres: Postgres, *, mode: str, pause: float = 0) -> None:
    """Stop the server in a pg_ctl mode, and start it again after a pause in seconds."""
    postgres.stop(mode)
    time.sleep(pause)
    postgres.start()


def kill_backend(postgres: Postgres) -> None:
    """Kill one backend with SIGKILL; the server then terminates all others and recovers."""
    for (process,) in postgres.ask(BUSY):
        os.kill(process, signal.SIGKILL)


def kill_postmaster(postgres: Postgres) -> None:
    """Kill the postmaster with SIGKILL, and start the server again."""
    postgres.kill()
    postgres.start()


def refuse_writes(postgres: Postgres, seconds: float) -> None:
    """Make every transaction read-only, as on a server that has become a standby."""
    for value in ("on", "off"):
        postgres.ask(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        postgres.ask("SELECT pg_reload_conf()")
        time.sleep(seconds if value == "on" else 0)


def take_connections(postgres: Postgres, seconds: float) -> None:
    """Occupy all connections of the server, including those that the service had."""
    greedy = postgres.url(more="?application_name=greedy")
    with postgres.session() as superuser, ExitStack() as held:
        ended = time.monotonic() + seconds
        while time.monotonic() < ended:
            with suppress(psycopg2.OperationalError):
                while True:
                    held.enter_context(closing(psycopg2.connect(greedy)))
            # A terminated connection's slot goes to the first to connect, and thus eventually to us.
            superuser.execute(TERMINATE_SERVICE)
            time.sleep(0.05)


def lock_orders(postgres: Postgres, seconds: float) -> None:
    """Lock the orders table against all other sessions."""
    with postgres.session() as cursor:
        cursor.execute("BEGIN; LOCK TABLE orders")
        time.sleep(seconds)


def freeze_backend(postgres: Postgres, seconds: float) -> None:
    """Stop a backend of the service with SIGSTOP, and continue it."""
    for (process,) in postgres.ask(IDLE):
        os.kill(process, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(process, signal.SIGCONT)


def slow_down(proxy: Proxy, seconds: float) -> None:
    """Add a tenth of a second of latency in each direction."""
    proxy.delay = 0.1
    time.sleep(seconds)
    proxy.delay = 0.0


def swallow(proxy: Proxy, seconds: float) -> None:
    """Hold back all data, then deliver it."""
    proxy.swallow()
    time.sleep(seconds)
    proxy.pass_on()


def reset(proxy: Proxy, times: int) -> None:
    """Reset all connections, several times."""
    for _ in range(times):
        proxy.reset()
        time.sleep(0.5)
