"""Ports for the servers that tests start."""

import random
import socket
from contextlib import suppress

#: Below the ephemeral ports, so that the kernel gives none of them to an outgoing connection.
PORTS = range(15_000, 32_000)


def free_port() -> int:
    """Return a free port of 127.0.0.1, at random, so that concurrent tests hardly ever get the same one."""
    # Not the global generator, which Hypothesis reseeds for each example.
    ports = random.SystemRandom()
    while True:
        port = ports.choice(PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
