"""Signs of life of a WebSocket player, against a clock that the test moves."""

from __future__ import annotations

import pytest
from model.loop import FakeLoop, FakeTransport
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Ping, Request

from fastflv import limits
from fastflv.net.peer import Peer
from fastflv.protocols.http import message
from fastflv.servers.http.websocket import Handshake, WebSocketConnection


class Play:
    """Says what it is told, and stops at once."""

    def __init__(self, transport: FakeTransport) -> None:
        self.say = transport.write
        self.halted = 0

    def halt(self, then) -> None:
        self.halted += 1
        then()

    def lost(self) -> None:
        self.halted += 1


class Wire:
    """A connection after its handshake, and wsproto as its client."""

    def __init__(self) -> None:
        self.client = WSConnection(ConnectionType.CLIENT)
        asked = self.client.send(Request(host="here", target="/"))
        fields = dict(line.split(": ", 1) for line in asked.decode().split("\r\n")[1:] if line)
        handshake = Handshake(
            message.Request(
                method="GET",
                path="/",
                query="",
                version="1.1",
                headers={k.lower(): v for k, v in fields.items()},
                keep_alive=True,
                peer=Peer("::1", "::1"),
                upgrade="websocket",
            )
        )
        self.client.receive_data(handshake.answer)
        assert [type(event) for event in self.client.events()] == [AcceptConnection]
        self.loop = FakeLoop()
        self.transport = FakeTransport(self.loop)
        self.left: list[str] = []
        self.connection = WebSocketConnection(self.loop, handshake.ws, "::1", lambda: None)
        self.connection.connection_made(self.transport)
        self.play = Play(self.transport)
        self.connection.serve(self.play)
        self.connection.leave = self.left.append
        self._heard = 0

    def events(self) -> list:
        """What came since the last call."""
        self.client.receive_data(bytes(self.transport.wire[self._heard :]))
        self._heard = len(self.transport.wire)
        return list(self.client.events())


def test_a_player_that_answers_pings_stays():
    wire = Wire()
    for _ in range(20):
        wire.loop.advance(limits.WEBSOCKET_PING_SECONDS)
        (ping,) = wire.events()
        assert isinstance(ping, Ping)
        wire.connection.data_received(wire.client.send(ping.response()))
    assert not wire.transport.gone and not wire.play.halted


def test_a_player_that_is_silent_is_told_so_and_let_go():
    wire = Wire()
    wire.loop.advance(limits.WEBSOCKET_SILENCE_SECONDS + limits.WEBSOCKET_PING_SECONDS)
    events = wire.events()
    *pings, close = events
    assert len(pings) >= 2 and all(isinstance(event, Ping) for event in pings)
    assert isinstance(close, CloseConnection)
    assert (close.code, close.reason) == (1002, "no answer to a ping")
    assert wire.play.halted == 1
    wire.loop.advance(limits.WEBSOCKET_CLOSE_SECONDS)
    assert wire.transport.gone == "aborted"
    assert not wire.loop.timers


@pytest.mark.parametrize("times", [1, 5])
def test_what_it_may_say_is_counted_anew_with_each_ping(times):
    wire = Wire()
    said = wire.client.send(Ping(payload=b"x" * 100)) * (limits.WEBSOCKET_SAID_BYTES_MAX // 106)
    for _ in range(times):
        wire.connection.data_received(said)
        wire.loop.advance(limits.WEBSOCKET_PING_SECONDS)
        assert not any(isinstance(event, CloseConnection) for event in wire.events())
    wire.connection.data_received(said)
    wire.connection.data_received(said)
    (close,) = [event for event in wire.events() if isinstance(event, CloseConnection)]
    assert close.code == 1009
