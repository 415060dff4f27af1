"""Connections of an RTMP server without its sockets: the loop, the transport and the peer are the test's."""

from __future__ import annotations

import select
import socket
from itertools import count

from model.access import Hook
from model.chunks import Decoder
from model.client import Client, heard
from model.flv import AAC_HEADER, AVC_HEADER, key, sound
from model.loop import FakeLoop, FakeTransport, Unhurried

from fastflv import limits
from fastflv.access.gate import Gate
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.peer import Peer as Address
from fastflv.net.quiet import QuietSockets
from fastflv.playing.join import Joins
from fastflv.playing.players import Players
from fastflv.servers.rtmp.options import RtmpOptions
from fastflv.servers.rtmp.server import RtmpServer
from fastflv.stream.clients import Clients
from fastflv.stream.hub import Hub
from fastflv.stream.publication import Publications, PublishOptions
from fastflv.stream.stream import StreamOptions

NEVER = 0
"Room of a peer that reads nothing."

FILM_BYTES = sum(map(len, (AVC_HEADER, AAC_HEADER, key(), sound())))
"Media of one `Peer.film`."


class Wire(FakeTransport):
    """A transport with a socket behind it; with *tls* the event loop serves its player."""

    def __init__(self, loop: FakeLoop, room: int, tls: bool) -> None:
        super().__init__(loop, room)
        self._near, self.far = socket.socketpair()
        "What a feed reads; the transport itself is given its bytes by the test."
        self.options: list[tuple[int, ...]] = []
        "What the transport's socket was told; marks are those of the socket behind it."
        self.reading = True
        self.tls = tls

    def get_extra_info(self, name: str, default: object = None) -> object:
        if name == "sslcontext":
            return "some" if self.tls else None
        return super().get_extra_info(name, default)

    def fileno(self) -> int:
        return self._near.fileno()

    def setsockopt(self, *words: int) -> None:
        self.options.append(words)

    @property
    def mark(self) -> int:
        """Receive low-water mark, bytes."""
        return self._near.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)

    @property
    def has_unread(self) -> bool:
        return bool(select.select([self._near], [], [], 0)[0])

    def unread(self) -> bytes:
        """Take what the kernel holds."""
        try:
            return self._near.recv(1 << 20, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return b""

    def hang_up(self) -> None:
        self._near.close()
        self.far.close()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Peer:
    """One connection, from its peer's side."""

    def __init__(self, site: Site, room: int = 1 << 40, *, tls: bool = False) -> None:
        assert site.limit.take()
        self.loop = site.loop
        self.connection = site.server.connect(Address("192.0.2.1", "192.0.2.1", secure=tls))
        self.transport = Wire(site.loop, room, tls)
        self.transport.owner = self.connection
        self.client = Client(0xFFFFFF)
        self.unread = b""
        "What the connection did not read: it had paused."
        self.connection.connection_made(self.transport)

    def say(self, data: bytes = b"") -> int:
        """Send *data*, or all that the client wrote; return how much that was."""
        data = data or self.client.wire()
        rest = memoryview(data)
        while rest:
            if not self.transport.reading:
                # It may have given way to others: a busy machine makes any read dear.
                self.loop.turn()
            if not self.transport.reading:
                # A feed reads instead, or nobody.
                self.transport.far.sendall(rest)
                self.loop.read()
                if self.transport.has_unread:
                    # Feeds are read by a clock once reads come fast.
                    self.loop.advance(limits.FEED_SECONDS)
                rest = memoryview(self.transport.unread())
                break
            buffer = self.connection.get_buffer(-1)
            size = min(len(buffer), len(rest))
            buffer[:size] = rest[:size]
            self.connection.buffer_updated(size)
            rest = rest[size:]
        self.unread = bytes(rest)
        return len(data) - len(rest)

    def publish(self, name: str = "room") -> Peer:
        self.client.connect().fmle_publish(name)
        self.say()
        return self

    def play(self, name: str = "room") -> Peer:
        self.client.connect().play(name)
        self.say()
        return self

    def film(self, stream_id: int = 1) -> None:
        """Both tracks, so that players may start."""
        for kind, body in ((9, AVC_HEADER), (8, AAC_HEADER), (9, key()), (8, sound())):
            self.client.media(kind, 0, body, stream_id)
        self.say()

    @property
    def status(self) -> list[tuple[int, str, str]]:
        """Message stream, level and code of every `onStatus` so far."""
        said = [each for each in heard(bytes(self.transport.wire)) if each[0] == "onStatus"]
        return [(each[1], each[-1]["level"], each[-1]["code"]) for each in said]

    @property
    def media(self) -> list[bytes]:
        """Media that it was sent."""
        messages = Decoder().decode(bytes(self.transport.wire[3073:]))
        return [message.payload for message in messages if message.kind in (8, 9)]

    def leave(self, stream_id: int = 1) -> None:
        """End the publish or the play; the connection stays."""
        self.client.call("deleteStream", 7, None, float(stream_id))
        self.say()

    def lost(self) -> None:
        self.connection.connection_lost(None)
        self.transport.hang_up()


class Site:
    """All that connections need of a server; sender threads only where a test gives some."""

    def __init__(self, *, grace_ms: int = 0, on_missing: float = 0.0, sender=None) -> None:
        ids = map(str, count())
        self.loop = FakeLoop()
        self.hub = Hub(lambda: next(ids))
        self.clients = Clients()
        self.limit = ConnectionLimit(10)
        self.gate = Gate(lambda vhost: ())
        self.options = RtmpOptions(
            "v", PublishOptions(StreamOptions(grace_ms=grace_ms, merge_window_ms=0)), on_missing=on_missing
        )
        self.players = (
            Players(self.loop, Unhurried(self.loop), sender, self.hub) if sender is not None else None
        )
        self.server = RtmpServer(
            Joins(self.loop, self.hub, self.gate, Unhurried(self.loop), self.clients),
            Publications(self.loop, self.hub, self.clients, self.gate),
            self.players,
            self.limit,
            turns=Unhurried(self.loop),
            quiet=QuietSockets(self.loop),
            vhost_of=lambda name: None if name == "off.example" else self.options,
            new_id=lambda: next(ids),
        )

    @property
    def left_behind(self) -> tuple[int, int, int, int]:
        """Connections, clients, requests that wait, timers."""
        return self.limit.taken, len(self.clients), self.hub.waiting, len(self.loop.timers)

    @property
    def publishers(self) -> dict[str, int]:
        """Bytes of media by name of what is published."""
        return {client.request.stream: client.received for client in self.clients if client.publish}

    def ask_later(self) -> Hook:
        """Have the gate wait for the test from now on."""
        hook = Hook()
        self.gate.rules.append(hook)
        return hook
