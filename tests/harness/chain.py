"""Servers in the loop of a test that send streams on to each other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from embedded import is_picture, number_of
from model.ports import free_ports

import fastflv

CONF = """
listen 127.0.0.1:{rtmp};
http_api {{ enabled on; listen 127.0.0.1:0; }}
{more}
vhost __defaultVhost__ {{
    publish {{ grace {grace}; }}
    {vhost}
}}
"""
WAIT_SECONDS = 20


def node(rtmp: int = 0, vhost: str = "", *, grace: float = 0, more: str = "") -> fastflv.Server:
    """Return a server with RTMP on the port *rtmp* of this machine; 0: on any."""
    return fastflv.Server(CONF.format(rtmp=rtmp, vhost=vhost, grace=grace, more=more))


def forward(*words: str, more: str = "") -> str:
    """The block that forwards to *words*."""
    return f"forward {{ enabled on; destination {' '.join(words)}; {more} }}"


def port() -> int:
    """A port where nobody listens."""
    (found,) = free_ports(1)
    return found


async def api(server: fastflv.Server, path: str) -> dict[str, Any]:
    """Ask the API of a server in this loop."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.ports("API")[0])
    writer.write(f"GET /api/v1/{path} HTTP/1.0\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return json.loads(answer.partition(b"\r\n\r\n")[2])  # type: ignore[no-any-return]


async def forwards(server: fastflv.Server) -> list[dict[str, Any]]:
    """The rows of /api/v1/forwards, by destination."""
    rows = (await api(server, "forwards"))["forwards"]
    return sorted(rows, key=lambda row: str(row["destination"]))


async def until(holds: Callable[[], Any]) -> Any:
    """Await *holds*, a coroutine function, until what it returns is true; return that."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not (found := await holds()):
            await asyncio.sleep(0.01)
    return found


async def state(server: fastflv.Server, wanted: str, count: int = 1) -> list[dict[str, Any]]:
    """Wait until *count* forwards, and no others, are in the state *wanted*; return their rows."""
    rows: list[dict[str, Any]] = []

    async def there() -> bool:
        rows[:] = await forwards(server)
        return len(rows) == count and all(row["state"] == wanted for row in rows)

    try:
        await until(there)
    except TimeoutError:
        raise AssertionError(f"forwards are not {wanted}: {rows}") from None
    return rows


async def pictures(reader: fastflv.Reader, count: int, found: list[int] | None = None) -> list[int]:
    """The numbers of the next *count* pictures; *found* has those that have come so far."""
    found = [] if found is None else found
    async for tag in reader:
        if is_picture(tag):
            found.append(number_of(tag))
            if len(found) == count:
                break
    return found
