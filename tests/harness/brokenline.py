"""A line between two servers that a test can cut, hold or delay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self


class BrokenLine:
    """Forwards connections to *port* of this machine. Use as a context manager."""

    def __init__(self, port: int, *, delay: float = 0.0) -> None:
        """*delay*: of what the server sends, seconds."""
        self.port = 0
        "Where it listens."
        self.connections = 0
        "Those it has had."
        self._target = port
        self._delay = delay
        self._open = asyncio.Event()
        self._open.set()
        self._cut_at: int | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._clients: dict[asyncio.StreamWriter, asyncio.StreamWriter] = {}
        "With the connection to the server that belongs to each."
        self._kept: set[asyncio.StreamWriter] = set()
        "Connections to the server that stay when the client's is lost."

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *failure: object) -> None:
        self.cut()

    def cut(self) -> None:
        """Reset all connections, and take no more."""
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()

    def hold(self) -> None:
        """Say nothing any more, as a process that stands: connections are accepted."""
        self._open.clear()

    def go_on(self) -> None:
        """Say what was held."""
        self._open.set()

    def lose(self) -> None:
        """Reset what clients have, and leave what the server has."""
        self._kept |= set(self._clients.values())
        for writer in self._clients:
            writer.transport.abort()
        self._clients.clear()

    def cut_within(self, size: int) -> None:
        """Pass *size* bytes more of what the server sends, then `cut`."""
        self._cut_at = size

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, back}
        self._clients[writer] = back
        for source, sink, limit in ((reader, back, self._pass), (there, writer, self._limited)):
            task = asyncio.create_task(self._copy(source, sink, limit))
            self._tasks.add(task)

    def _pass(self, data: bytes) -> bytes:
        return data

    def _limited(self, data: bytes) -> bytes:
        if self._cut_at is None:
            return data
        data = data[: self._cut_at]
        self._cut_at -= len(data)
        return data

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: Callable[[bytes], bytes]
    ) -> None:
        loop = asyncio.get_running_loop()
        try:
            while data := await reader.read(65536):
                await self._open.wait()
                data = limit(data)
                if limit == self._limited and self._delay:
                    loop.call_later(self._delay, writer.write, data)
                else:
                    writer.write(data)
                if self._cut_at == 0:
                    await writer.drain()
                    self.cut()
        except ConnectionError:
            # The other half of the connection is to be noticed too.
            pass
        finally:
            if writer not in self._kept:
                writer.close()
