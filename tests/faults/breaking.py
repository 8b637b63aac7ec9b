"""The faults: each function injects one for the given time, and returns when it is over."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

import psycopg2

from tests.faults.clusters import Postgres
from tests.faults.proxy import Proxy

#: The service's connection with the most recent query.
BUSY = "SELECT pid FROM pg_stat_activity WHERE usename = 'nexus' ORDER BY query_start DESC LIMIT 1"
#: The most recent one that is idle: a busy backend could hold a latch that all others need.
IDLE = BUSY.replace("ORDER", "AND state = 'idle' ORDER")
#: The sessions that wait for a lock on the orders.
WAITING = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'orders'::regclass"
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
    os.kill(until_found(postgres, BUSY), signal.SIGKILL)


def kill_postmaster(postgres: Postgres) -> None:
    """Kill the postmaster with SIGKILL, and start the server again."""
    postgres.kill()
    postgres.start()


@contextmanager
def read_only(postgres: Postgres) -> Iterator[None]:
    """Make every transaction in a block read-only, as on a server that has become a standby."""
    set_read_only(postgres, "on")
    yield
    set_read_only(postgres, "off")


def set_read_only(postgres: Postgres, value: str) -> None:
    """Turn it on or off."""
    postgres.ask(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
    postgres.ask("SELECT pg_reload_conf()")


def refuse_writes(postgres: Postgres, seconds: float) -> None:
    """Make the server read-only for a time."""
    with read_only(postgres):
        time.sleep(seconds)


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
    """Lock the orders table against all other sessions, of which at least one waits for it."""
    with postgres.session() as cursor:
        cursor.execute("BEGIN; LOCK TABLE orders")
        ended = time.monotonic() + seconds
        until_found(postgres, WAITING)
        time.sleep(max(0, ended - time.monotonic()))


def freeze_backend(postgres: Postgres, seconds: float) -> int:
    """Stop a backend of the service with SIGSTOP, and continue it; return its process id."""
    process = until_found(postgres, IDLE)
    os.kill(process, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(process, signal.SIGCONT)
    return process


def slow_down(proxy: Proxy, seconds: float) -> None:
    """Add a tenth of a second of latency in each direction."""
    before = proxy.impeded
    proxy.delay = 0.1
    time.sleep(seconds)
    proxy.delay = 0.0
    assert proxy.impeded > before, "no data came through the proxy"


def swallow(proxy: Proxy, seconds: float) -> None:
    """Hold back all data, then deliver it."""
    before = proxy.impeded
    proxy.swallow()
    time.sleep(seconds)
    proxy.pass_on()
    assert proxy.impeded > before, "no data came through the proxy"


def reset(proxy: Proxy, times: int) -> None:
    """Reset all connections, several times."""
    before = proxy.cut
    for _ in range(times):
        proxy.reset()
        time.sleep(0.5)
    assert proxy.cut > before, "no connection went through the proxy"


def until_found(postgres: Postgres, processes: str) -> int:
    """Return the first process that a query finds, as soon as it finds one."""
    for _ in range(600):
        for (process,) in postgres.ask(processes):
            return int(process)
        time.sleep(0.05)
    raise AssertionError(f"nothing found by {processes}")
