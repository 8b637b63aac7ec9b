"""The studio as a server of this machine: it opens a browser, and ends with Ctrl-C."""

import os
import signal
import socket
import sys
import webbrowser
from threading import Thread
from typing import Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

#: Without one of these, Linux has no screen, and Python would open a browser within the terminal.
SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


class Quiet(WSGIRequestHandler):
    """One that keeps connections, as a browser likes, and writes no line for each request."""

    protocol_version = "HTTP/1.1"

    def log(self, *arguments: Any) -> None:
        """Leave the terminal to what matters."""


def serve(app: Flask, listener: socket.socket) -> None:
    """Answer what comes to a listening socket of 127.0.0.1, until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    host, port = listener.getsockname()
    server = make_server(host, port, app, threaded=True, request_handler=Quiet, fd=listener.fileno())
    # Werkzeug's own ends quietly with Ctrl-C, and closes the socket.
    server.serve_forever()


def open_browser(link: str) -> None:
    """Open a link where there is a screen, without waiting for the browser."""
    if sys.platform == "darwin" or any(os.environ.get(name) for name in SCREENS):
        Thread(target=webbrowser.open, args=(link,), daemon=True).start()
