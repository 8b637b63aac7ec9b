"""Workers whose event loop the test itself runs."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from selectors import EVENT_READ, DefaultSelector
from typing import Any

from gunicorn.config import Config  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from nexus.serving.worker import Worker


@contextmanager
def worker(listener: socket.socket, *, connections: int = 100, age: int = 1) -> Iterator[Worker]:
    """Yield a worker with a limit of connections; the test itself runs its event loop."""
    config = Config()
    config.set("worker_connections", connections)
    # As in nexus/server.py; otherwise gunicorn would parse all requests.
    config.set("forwarded_allow_ips", "")
    ours = Worker(age, os.getppid(), [listener], None, 30, config, Logger(config))
    ours.tpool = ours.get_thread_pool()
    with DefaultSelector() as ours.poller:
        ours.set_accept_enabled(True)
        yield ours
    ours.leave()
    for conn in ours._connections:
        conn.close()
    ours.tmp.close()


@contextmanager
def queue_of(ours: Worker) -> Iterator[None]:
    """Let the threads of a worker hand responses back to its loop."""
    ours.method_queue.init()
    ours.poller.register(ours.method_queue.fileno(), EVENT_READ, ours.method_queue.run_callbacks)
    yield
    ours.method_queue.close()


@contextmanager
def connected(answer: Any, *, connections: int = 100) -> Iterator[tuple[Worker, socket.socket]]:
    """Yield a worker with an application, and a client that it has not accepted yet."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        worker(listener, connections=connections) as ours,
        queue_of(ours),
        socket.create_connection(listener.getsockname(), 20) as client,
    ):
        ours.wsgi = answer
        yield ours, client


def run_loop_once(ours: Worker) -> None:
    """Let a loop go round once, with what there is at that moment."""
    ours.balance()
    ours.wait_for_and_dispatch_events(timeout=0)
    ours._answer_read()
