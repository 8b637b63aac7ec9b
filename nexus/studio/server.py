"""The local server of the studio: it opens a browser, and ends with Ctrl-C."""

import os
import signal
import socket
import sys
import webbrowser
from threading import Thread
from typing import Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

#: Without any of these, Linux has no display, and Python would open a browser in the terminal.
SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


class Quiet(WSGIRequestHandler):
    """A request handler that keeps connections alive, and does not log requests."""

    protocol_version = "HTTP/1.1"

    def log(self, *arguments: Any) -> None:
        """Log nothing, to keep the terminal clear."""


def serve(app: Flask, listener: socket.socket) -> None:
    """Serve requests on a listening socket of 127.0.0.1, until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    host, port = listener.getsockname()
    server = make_server(host, port, app, threaded=True, request_handler=Quiet, fd=listener.fileno())
    # Werkzeug's `serve_forever` ends quietly on Ctrl-C, and closes the socket.
    server.serve_forever()


def open_browser(link: str) -> None:
    """Open a link if there is a display, without waiting for the browser."""
    if sys.platform == "darwin" or any(os.environ.get(name) for name in SCREENS):
        Thread(target=webbrowser.open, args=(link,), daemon=True).start()
