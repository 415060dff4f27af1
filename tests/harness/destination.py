"""A server that takes what is forwarded to it as the test says: slowly, not at all, or by naming another one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from fastflv._ext.ingest.sink import CollectSink
from fastflv.protocols.rtmp.events import ConnectWanted, DataArrived, PublishWanted, Unpublished
from fastflv.protocols.rtmp.server import ServerSession


class Taken(asyncio.Protocol):
    """One connection."""

    def __init__(self, place: Destination) -> None:
        self.place = place
        self.session = ServerSession(noise=os.urandom)
        self.session.on_data = lambda data: self.scripts.append(data)
        self.sink = CollectSink()
        self.scripts: list[DataArrived] = []
        self.connect: ConnectWanted | None = None
        self.publish: PublishWanted | None = None
        self.unpublished = False
        self.wire = b""
        "All that came behind the answer to the publish."
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.place.taken.append(self)

    def data_received(self, data: bytes) -> None:
        if self.publish is not None:
            self.wire += data
        happened = self.session.receive(data)
        while happened:
            for event in happened:
                if isinstance(event, ConnectWanted):
                    self.connect = event
                    self.session.accept_connect()
                elif isinstance(event, PublishWanted):
                    self.publish = event
                    self.place.answer(self, event)
                elif isinstance(event, Unpublished):
                    self.unpublished = True
            happened = [] if self.session.waiting else self.session.resume()
        self.transport.write(self.session.take_output())

    @property
    def media(self) -> list[tuple[int, int, bytes]]:
        """Kind, time and body of each message so far."""
        return list(self.sink.messages)


class Destination:
    """Use as a context manager. *answer* accepts or refuses each publish; None: each is accepted."""

    def __init__(self, answer: Callable[[Taken, PublishWanted], None] | None = None) -> None:
        self.answer = answer or accept
        self.taken: list[Taken] = []
        self.port = 0

    async def __aenter__(self) -> Destination:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Taken(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._server.close()
        for one in self.taken:
            one.transport.abort()

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"


def accept(one: Taken, wanted: PublishWanted) -> None:
    one.session.accept_publish(wanted.stream_id, one.sink)


def sent_to(url: str) -> Callable[[Taken, PublishWanted], None]:
    """Answer each publish with another server."""
    return lambda one, wanted: one.session.redirect(wanted.stream_id, url)
