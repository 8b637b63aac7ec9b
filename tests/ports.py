"""Ports for the servers that tests start."""

import random
import socket
from contextlib import suppress

#: Below these a kernel gives no port to a connection of its own choice, and so takes none from our server.
PORTS = range(15_000, 32_000)


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens; tests at the same time get others, all but surely."""
    # Not the one generator of the process, which hypothesis begins anew for each of its examples.
    ports = random.SystemRandom()
    while True:
        port = ports.choice(PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
