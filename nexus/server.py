"""gunicorn's settings, each with its reason: `gunicorn -c python:nexus.server wsgi:app`.

A request holds at most one database connection, so a process needs one for each thread and one for the
event loop. All processes together use WEB_CONCURRENCY times DATABASE_POOL_SIZE of `max_connections`.
"""

import resource
import signal
import sys
from threading import Thread
from typing import Any

from nexus import lines
from nexus.config import load_settings
from nexus.env_file import SettingsError
from nexus.limits import MAX_FIELD, MAX_FIELDS, MAX_LINE
from nexus.metric_files import metric_files

try:
    _settings = load_settings()
except SettingsError as error:
    # gunicorn would show a traceback for any other exception.
    sys.exit(str(error))

bind = f"{'127.0.0.1' if _settings.development else '0.0.0.0'}:{_settings.port}"  # noqa: S104
workers = _settings.web_concurrency
# In gunicorn's own worker the threads wait for clients, so forty slow ones stop the service; in ours, the
# event loop waits.
worker_class = "nexus.serving.worker.Worker"
# Orders mostly wait for their commits, so a few more threads serve more of them; each needs a connection.
threads = 7
# Clients of a process, idle ones included. Each needs a file descriptor, of which the system often allows
# 1,024; the database and the log need some too.
worker_connections = min(1000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)
# A worker that has not reported to its master for this long is replaced; no request blocks its reports.
timeout = 30
# On a stop, requests in flight have this long to finish; platforms kill after 30 seconds or less.
graceful_timeout = 20
# Longer than the idle timeout of the proxies in front, which must be the ones to close a connection.
keepalive = 75
# Restarts now and then free leaked and fragmented memory; the jitter keeps workers from restarting together.
# A start takes a second of a core, and a busy worker answers 3,000 requests in that time.
max_requests = 1_000_000
max_requests_jitter = 200_000
limit_request_line = MAX_LINE
limit_request_field_size = MAX_FIELD
limit_request_fields = MAX_FIELDS
# gunicorn 27 opens a control socket by default, and nothing here uses it.
control_socket_disable = True
# By default, two headers of a trusted peer could mount the application at another path.
forwarder_headers = ""
# TRUSTED_PROXIES alone decides who is trusted to set the client's address and scheme. gunicorn would trust
# every program on this machine.
forwarded_allow_ips = ""
# Our own log has a line for each request.
accesslog = None
logger_class = "nexus.serving.log.Log"
loglevel = _settings.log_level.lower()
# gunicorn's own lines go to the same stream.
logconfig_dict = lines.server_config(development=_settings.development, level=_settings.log_level)

# The processes share their metrics, which must be set up before the first of them loads the application.
metric_files.share()


def on_starting(_: Any) -> None:
    """Start the master with empty metrics."""
    metric_files.wipe()


def pre_fork(_master: Any, _worker: Any) -> None:
    """Make sure that the metrics directory exists before a worker starts."""
    metric_files.share()


def on_exit(_: Any) -> None:
    """Ignore further stop signals: only the exit of Python itself is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)


def child_exit(_: Any, worker: Any) -> None:
    """Keep the metrics of a worker that has ended, for whatever reason."""
    metric_files.end(worker.pid)
    worker.leave()


def on_reload(master: Any) -> None:
    """Tell the current workers, before they are asked to stop, that new ones will replace them."""
    for worker in master.WORKERS.values():
        worker.replace(master.worker_age)


def post_worker_init(worker: Any) -> None:
    """Let the first worker check in the background whether the database allows enough connections."""
    if worker.age == 1:
        from nexus.doctor.start import warn_of_room

        Thread(target=warn_of_room, args=(_settings,), daemon=True).start()
