"""Players of sender threads, as the event loop holds them."""

from __future__ import annotations

import select
import socket
import sys
from collections.abc import Iterator

import pytest
from model.flv import AAC_HEADER, AVC_HEADER, Feed, inter, key
from model.loop import FakeLoop, Unhurried

from fastflv._ext.fanout.sender import Sender
from fastflv._ext.log.block import MediaBlock
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.playing.player import Framing
from fastflv.playing.players import Players
from fastflv.playing.threadplayer import ThreadPlayer
from fastflv.stream.endreason import EndReason
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.start import Start
from fastflv.stream.stream import StreamOptions

OPTIONS = StreamOptions()


class Line:
    """The server's end of a connection, as a transport that writes at once."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.unsent = 0

    def write(self, data: bytes) -> None:
        self.sock.sendall(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def set_write_buffer_limits(self, high: int) -> None:
        """Nothing waits here."""

    def get_extra_info(self, name: str) -> object:
        return self.sock if name == "socket" else None


class Scene:
    """A stream with one picture, and a player of it."""

    def __init__(self, tcp) -> None:
        hub = Hub(lambda: "vid-1")
        loop = FakeLoop()
        self.players = Players(loop, Unhurried(loop), Sender(1), hub)  # type: ignore[arg-type]
        self.stream = hub.publish(StreamName(DEFAULT_VHOST, "live", "a"), OPTIONS, "publisher", 0)
        self.feed = Feed(self.stream.writer)
        self.feed.audio(0, AAC_HEADER)
        self.feed.video(0, AVC_HEADER)
        self.feed.video(0, key(b"first"))
        self.ends: list[tuple[str, bool]] = []
        server, self.peer = tcp()
        self.line = Line(server)
        self.play = ThreadPlayer(
            self.players,
            OPTIONS,
            Framing.WEBSOCKET,
            lambda *end: self.ends.append(end),
            transport=self.line,
        )  # type: ignore[arg-type]

    def let_go(self) -> None:
        """Wait until the thread has let the player go; it is not reaped."""
        assert select.select([self.players.sender.fd], [], [], 10)[0]


@pytest.fixture
def scene(tcp) -> Iterator[Scene]:
    made = Scene(tcp)
    yield made
    made.players.sender.stop()
    made.players.sender.reap()


def start_of(scene: Scene) -> Start:
    return Start(MediaBlock(b"start" * 1000), scene.stream.log.key_pos)


def test_what_is_said_comes_between_two_messages_and_the_player_goes_on(scene):
    scene.play.start(scene.stream.open(), start_of(scene))
    scene.play.say(b"ping")
    scene.let_go()
    scene.players.reap()
    scene.feed.video(40, inter(b"second"))
    wire = b""
    while b"second" not in wire:
        wire += scene.peer.recv(1 << 16)
    assert wire.index(b"first") < wire.index(b"ping") < wire.index(b"second")
    assert not scene.ends


def test_a_kick_is_not_lost_while_the_player_is_called_back(scene):
    scene.play.start(scene.stream.open(), start_of(scene))
    scene.play.say(b"ping")
    scene.let_go()
    scene.play.drop(EndReason.KICKED)
    scene.players.reap()
    assert scene.ends == [(EndReason.KICKED, True)]
    assert scene.players.count == 0


def test_a_start_lives_no_longer_than_it_takes_to_be_sent(scene):
    start = start_of(scene)
    before = sys.getrefcount(start.block)
    scene.play.start(scene.stream.open(), start)
    wire = b""
    while b"first" not in wire:
        wire += scene.peer.recv(1 << 16)
    # Where the picture behind it was read, the thread may still be about to let go of it.
    scene.play.say(b"ping")
    scene.let_go()
    assert not start.block.in_use
    after = sys.getrefcount(start.block)
    assert after == before


def test_a_start_that_waits_for_older_words_counts_as_in_use(scene):
    scene.line.unsent = 10
    start = start_of(scene)
    scene.play.start(scene.stream.open(), start)
    assert start.block.in_use and scene.players.count == 0
    scene.line.unsent = 0
    scene.play.resume_writing()
    assert scene.players.count == 1
    wire = b""
    while b"first" not in wire:
        wire += scene.peer.recv(1 << 16)
