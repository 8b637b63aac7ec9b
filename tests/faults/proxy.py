"""A TCP proxy in front of PostgreSQL, to simulate a slow, silent or broken network."""

import asyncio
import socket
import threading
from collections.abc import Coroutine
from typing import Any

from tests.faults.clusters import Postgres
from tests.ports import free_port


class Proxy:
    """Forwards every connection to a local port, in a separate thread."""

    def __init__(self, postgres: Postgres) -> None:
        """Take the server to forward to; the proxy accepts connections when this returns."""
        self.target = postgres.port
        self.port = free_port()
        #: The application's URL of that server, through this proxy.
        self.url = postgres.url().replace(f":{self.target}/", f":{self.port}/")
        #: Seconds of latency added to each piece of data, in either direction.
        self.delay = 0.0
        #: How many pieces of data were delayed or held back, and how many ends of connections were reset.
        self.impeded = self.cut = 0
        self._loop = asyncio.new_event_loop()
        self._passing = asyncio.Event()
        self._passing.set()
        self._connections: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server: asyncio.Server = self._do(asyncio.start_server(self._serve, "127.0.0.1", self.port))

    def swallow(self) -> None:
        """Accept all connections and data, but forward nothing."""
        self._loop.call_soon_threadsafe(self._passing.clear)

    def pass_on(self) -> None:
        """Forward data again, beginning with what was held back."""
        self._loop.call_soon_threadsafe(self._passing.set)

    def reset(self) -> None:
        """Reset every connection at once, like a router that lost its state."""
        self._do(self._break())

    def stop(self) -> None:
        """Reset every connection and accept no more."""
        self._server.close()
        self.reset()
        self._do(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    async def _break(self) -> None:
        for writer in list(self._connections):
            # A socket closed with a linger time of zero sends a reset.
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
            )
            writer.transport.abort()
            self.cut += 1

    async def _finish(self) -> None:
        waiting = asyncio.all_tasks() - {asyncio.current_task()}
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, back}
        self._connections |= ends
        try:
            pumps = {
                asyncio.ensure_future(self._pump(reader, back)),
                asyncio.ensure_future(self._pump(there, writer)),
            }
            # When either end closes its connection, both are closed.
            _, others = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in others:
                pump.cancel()
        finally:
            self._connections -= ends
            for end in ends:
                end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                self.impeded += bool(self.delay) or not self._passing.is_set()
                await asyncio.sleep(self.delay)
                await self._passing.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            return
