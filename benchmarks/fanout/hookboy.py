"""A server of hooks that allows everything: `hookboy`.

Prints {"event":"ready","port":...}; a line on stdin ends it, and it prints how many hooks it had on how many connections.
"""

from __future__ import annotations

import asyncio
import json
import sys

import httptools

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n" + b'{"code":0}'


class Hooks(asyncio.Protocol):
    """One connection."""

    connections = 0
    hooks = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        Hooks.connections += 1
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        Hooks.hooks += 1
        self.transport.write(ANSWER)  # type: ignore[attr-defined]


async def serve() -> None:
    """Run until stdin has a line."""
    loop = asyncio.get_running_loop()
    async with await loop.create_server(Hooks, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        print(json.dumps({"event": "ready", "port": port}), flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)
    done = {"event": "done", "hooks": Hooks.hooks, "connections": Hooks.connections}
    print(json.dumps(done), flush=True)


if __name__ == "__main__":
    asyncio.run(serve())
