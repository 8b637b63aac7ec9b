"""A proxy in front of PostgreSQL that records the messages whose answers a client waits for."""

import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path

from nexus.database_url import DatabaseURL


class Wire:
    """Forwards connections to a server, and records what clients ask of it."""

    def __init__(self, server: DatabaseURL) -> None:
        """Start to forward to the server; connections are accepted once this returns."""
        self.asked: list[str] = []
        self._server = server.parameters
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> DatabaseURL:
        """The same database through this proxy, unencrypted, so that messages can be read."""
        port = str(self._listener.getsockname()[1])
        there = {"host": "127.0.0.1", "port": port, "sslmode": "disable", "gssencmode": "disable"}
        return DatabaseURL({**self._server, **there})

    def close(self) -> None:
        """Accept no more connections; existing ones end with their client."""
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = self._connect()
                threading.Thread(target=self._pass, args=(client, server), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _connect(self) -> socket.socket:
        host, port = self._server.get("host", "127.0.0.1"), self._server.get("port", "5432")
        if not host.startswith("/"):
            return socket.create_connection((host, int(port)))
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(Path(host, f".s.PGSQL.{port}")))
        return server

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        unread, began = b"", False
        # Whichever side hangs up first, the other thread finds its sockets closed.
        with suppress(OSError), server:
            while piece := client.recv(65536):
                unread += piece
                # The first message has no type byte; in all others the length does not include it.
                while len(unread) >= 5 and len(unread) >= (size := self._size(unread, began=began)):
                    message, unread = unread[:size], unread[size:]
                    if began and message[:1] == b"Q":
                        self.asked.append(message[5:-1].decode())
                    elif began and message[:1] in (b"S", b"F"):
                        self.asked.append(f"({message[:1].decode()})")
                    began = True
                server.sendall(piece)

    @staticmethod
    def _size(unread: bytes, *, began: bool) -> int:
        return (
            int(struct.unpack("!i", unread[1:5])[0]) + 1 if began else int(struct.unpack("!i", unread[:4])[0])
        )

    @staticmethod
    def _answer(server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError), client:
            while piece := server.recv(65536):
                client.sendall(piece)
