"""Connections of a server that stops: peers are told, and what still writes to one is no error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest
import uvloop

from fastflv import limits
from fastflv.net.openconnections import OpenConnections


class Late(asyncio.Protocol):
    """Has an answer for its peer that comes after the end of the server was announced."""

    def __init__(self, connections: OpenConnections, made: list[Late]) -> None:
        self.connections = connections
        self.made = made
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.connections.add(self.transport)
        self.made.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(None)


async def answered_late(before: bytes) -> tuple[bytes, list[object]]:
    """Return what the peer read, and what was reported to the loop."""
    loop, connections = asyncio.get_running_loop(), OpenConnections()
    reported: list[object] = []
    loop.set_exception_handler(lambda loop, context: reported.append(context))
    made: list[Late] = []
    server = await loop.create_server(lambda: Late(connections, made), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        while not made:
            await asyncio.sleep(0)
        made[0].transport.write(before)
        closing = asyncio.ensure_future(connections.close())
        read = await reader.read()
        made[0].transport.write(b"late")
        await made[0].lost
        writer.close()
        await closing
    return read, reported


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("before", [b"", b"answer", bytes(4_000_000)], ids=["nothing", "little", "much"])
def test_peers_read_what_was_written_and_a_late_answer_ends_its_connection_alone(
    loop: Callable[[], asyncio.AbstractEventLoop], before: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine needs longer than it to read much.
    monkeypatch.setattr(limits, "STOP_CLOSE_SECONDS", 20.0)
    with asyncio.Runner(loop_factory=loop) as runner:
        read, reported = runner.run(asyncio.wait_for(answered_late(before), 20))
    assert read == before
    assert reported == []
