"""granian instead of gunicorn, with the same settings: `python -m nexus.granian_server`."""

import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable
from threading import Thread
from typing import TYPE_CHECKING, Any

from nexus import create_app
from nexus.config import load_settings
from nexus.limits import MAX_HEAD
from nexus.metric_files import metric_files

if TYPE_CHECKING:
    from granian.server.mp import MPServer


def main() -> int:
    """Serve until told to stop, and return the exit code."""
    # Not at the top, since each worker process imports this module and should not validate the settings.
    from nexus import server

    host, _, port = server.bind.rpartition(":")
    try:
        granian = make_server(host, int(port))
        refuse_used_port(host, int(port))
    except ImportError:
        return _refuse("granian is not installed: pip install '.[granian]'")
    except OSError as error:
        return _refuse(f"PORT {port} cannot be used: {error}")
    # Forked workers would keep the code that the master has loaded, even after a HUP.
    multiprocessing.set_start_method("spawn")
    granian.serve(target_loader=load, wrap_loader=False)
    return 0


def make_server(host: str, port: int) -> "MPServer":
    """granian with gunicorn's settings, translated to its own; ImportError if it is not installed."""
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels
    from granian.server.mp import MPServer

    from nexus import server
    from nexus.doctor.start import warn_of_room

    class Server(MPServer):
        def _respawn_workers(self, workers: list[int], *how: Any, **more: Any) -> None:
            replaced = [self.wrks[number].inner.pid for number in workers]
            metric_files.share()
            super()._respawn_workers(workers, *how, **more)
            for process in replaced:
                metric_files.end(process)

    granian = Server(
        "nexus",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=server.workers,
        blocking_threads=server.threads,
        # This counts connections, idle ones included.
        backpressure=server.worker_connections,
        http=HTTPModes.http1,
        # Milliseconds in which a head must arrive, and for which a connection may be idle between requests.
        http1_settings=HTTP1Settings(header_read_timeout=server.keepalive * 1000, max_buffer_size=MAX_HEAD),
        websockets=False,
        log_level=LogLevels(server.loglevel),
        log_dictconfig=server.logconfig_dict,
        respawn_failed_workers=True,
        workers_kill_timeout=server.graceful_timeout,
    )
    granian.on_startup(lambda: Thread(target=warn_of_room, args=(load_settings(),), daemon=True).start())
    return granian


def refuse_used_port(host: str, port: int) -> None:
    """Raise OSError if the port is in use: granian itself would share it with others that allow that."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))


def load() -> Callable[..., Any]:
    """Load the application, in each worker process."""
    metric_files.join()
    Thread(target=_stop_with_master, daemon=True).start()
    return create_app()


def _stop_with_master() -> None:
    """Stop gracefully when the master has died, and release the port for the next one."""
    if master := multiprocessing.parent_process():
        master.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _refuse(text: str) -> int:
    sys.stderr.write(f"nexus: {text}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
