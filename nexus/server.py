"""gunicorn's settings, each with its reason: `gunicorn -c python:nexus.server wsgi:app`.

A request holds at most one database connection, so a process needs one more than threads, and all
processes together take WEB_CONCURRENCY times DATABASE_POOL_SIZE of the server's `max_connections`.
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
    # gunicorn would show a traceback for anything but this.
    sys.exit(str(error))

bind = f"{'127.0.0.1' if _settings.development else '0.0.0.0'}:{_settings.port}"  # noqa: S104
workers = _settings.web_concurrency
# gunicorn's threads wait for clients, so that forty slow ones stop the service; in ours the loop waits.
worker_class = "nexus.serving.worker.Worker"
# Requests mostly wait for the database, and argon2id runs outside the interpreter lock.
threads = 4
# Clients of a process, those between two requests included. They are files to the system, which often allows
# 1,024; the database and the log need some too.
worker_connections = min(1000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)
# A worker that has not answered its master for this long is replaced; no request keeps it from that.
timeout = 30
# Requests in flight finish when the server is asked to stop; platforms kill after 30 seconds or less.
graceful_timeout = 20
# Longer than the idle time of the proxies in front, which must be the ones to close a connection.
keepalive = 75
# What leaks, or is held in pieces, goes with its process now and then; not with all of them at once.
max_requests = 50_000
max_requests_jitter = 10_000
limit_request_line = MAX_LINE
limit_request_field_size = MAX_FIELD
limit_request_fields = MAX_FIELDS
# gunicorn 27 opens a socket for commands unless told otherwise, and nothing here uses one.
control_socket_disable = True
# By default two headers of a trusted peer could move the application below another path.
forwarder_headers = ""
# Whose word counts for the client's address and scheme is decided in one place, by TRUSTED_PROXIES. gunicorn
# would believe whatever runs on this machine.
forwarded_allow_ips = ""
# Our own log has a line for each request.
accesslog = None
logger_class = "nexus.serving.log.Log"
loglevel = _settings.log_level.lower()
# Its own lines belong to the same stream.
logconfig_dict = lines.of_server(development=_settings.development, level=_settings.log_level)

# The processes count together, which has to be known before the first of them loads the application.
metric_files.share()


def on_starting(_: Any) -> None:
    """Let the master begin with no counts."""
    metric_files.wipe()


def pre_fork(_master: Any, _worker: Any) -> None:
    """See that a process that is about to begin has a place to count in."""
    metric_files.share()


def on_exit(_: Any) -> None:
    """Let a stop that is asked for once more end nothing: all is done but Python's own end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)


def child_exit(_: Any, worker: Any) -> None:
    """Keep what a process had counted when it ended, however that came."""
    metric_files.end(worker.pid)
    worker.leave()


def on_reload(master: Any) -> None:
    """Tell the workers that serve, before they are asked to stop, that others will have their place."""
    for worker in master.WORKERS.values():
        worker.replace(master.worker_age)


def post_worker_init(worker: Any) -> None:
    """Have the first worker see whether the database has room for all; nothing waits for that."""
    if worker.age == 1:
        from nexus.doctor.start import warn_of_room

        Thread(target=warn_of_room, args=(_settings,), daemon=True).start()
