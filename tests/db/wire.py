"""A wire before PostgreSQL on which the messages are counted that a client waits for an answer to."""

import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path

from nexus.database_url import DatabaseURL


class Wire:
    """Passes connections on to a server, and reads along what clients ask of it."""

    def __init__(self, server: DatabaseURL) -> None:
        """Take the server; connections are taken when this returns."""
        self.asked: list[str] = []
        self._server = server.parameters
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> DatabaseURL:
        """The same database by way of this wire, without encryption, which could not be read along."""
        port = str(self._listener.getsockname()[1])
        there = {"host": "127.0.0.1", "port": port, "sslmode": "disable", "gssencmode": "disable"}
        return DatabaseURL({**self._server, **there})

    def close(self) -> None:
        """Take no more connections; those that are there end with their client."""
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
                # The first message has no type; of all others the length does not count it.
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
