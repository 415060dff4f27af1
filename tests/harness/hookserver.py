"""A hook server: HTTP/1.1 with kept connections, in a thread of its own; answers as the test says."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections import Counter
from typing import Any, NamedTuple

from server import HOST, until


class Reply(NamedTuple):
    """What a hook is answered with."""

    body: bytes = b"0"
    status: int = 200
    seconds: float = 0.0
    "How long it takes."


class Told(NamedTuple):
    """One request."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    when: float

    @property
    def fields(self) -> dict[str, Any]:
        return json.loads(self.body)  # type: ignore[no-any-return]


class HookServer:
    """Use as a context manager. `replies`: by target without its query; all others get `0`."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, keep: bool = True) -> None:
        """*keep*: requests are kept in `told`; off for a test of speed."""
        self.replies: dict[str, Reply] = {}
        self.told: list[Told] = []
        self.counts: Counter[str] = Counter()
        "Requests by target without its query."
        self.connections = 0
        "Accepted so far."
        self.open: set[asyncio.StreamWriter] = set()
        self.port = 0
        self._keep = keep
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> HookServer:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *failure: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def url(self, action: str, query: str = "") -> str:
        scheme, host = ("https", "localhost") if self._tls else ("http", HOST)
        return f"{scheme}://{host}:{self.port}/{action}{query}"

    def block(self, *actions: str, query: str = "") -> str:
        """The `http_hooks` block that asks this server for *actions*."""
        lines = " ".join(f"{action} {self.url(action, query)};" for action in actions)
        return f"http_hooks {{ enabled on; {lines} }}"

    def of(self, action: str) -> list[Told]:
        """Requests for *action*, oldest first."""
        return [each for each in list(self.told) if each.target.partition("?")[0] == f"/{action}"]

    def wait(self, action: str, count: int = 1, seconds: float = 20) -> list[Told]:
        """Wait for *count* requests for *action*, and return them."""
        until(lambda: len(self.of(action)) >= count, f"{count} of {action}, not {self.actions()}", seconds)
        return self.of(action)

    def actions(self) -> list[str]:
        """What was asked for, in order."""
        return [each.target.partition("?")[0][1:] for each in list(self.told)]

    def drop_idle(self) -> None:
        """Close all connections."""

        def close() -> None:
            for writer in self.open:
                writer.close()

        self._loop.call_soon_threadsafe(close)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, HOST, 0, ssl=self._tls, backlog=1000)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                pairs = (line.split(": ", 1) for line in head[1:] if line)
                headers = {name.lower(): value for name, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                path = target.partition("?")[0]
                self.counts[path] += 1
                if self._keep:
                    self.told.append(Told(method, target, headers, body, time.monotonic()))
                reply = self.replies.get(path, Reply())
                if reply.seconds:
                    await asyncio.sleep(reply.seconds)
                writer.write(
                    f"HTTP/1.1 {reply.status} X\r\nContent-Length: {len(reply.body)}\r\n\r\n".encode()
                    + reply.body
                )
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.open.discard(writer)
            writer.close()
