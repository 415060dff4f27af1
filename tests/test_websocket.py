"""Signs of life and ends of WebSocket players, against a clock that the test moves."""

from __future__ import annotations

import pytest
from model.loop import FakeLoop, FakeTransport, Unhurried
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Ping, Request

from fastflv import limits
from fastflv.net.peer import Peer
from fastflv.net.quiet import QuietSockets
from fastflv.net.turns import Turns
from fastflv.protocols.http import message
from fastflv.protocols.http.heads import upgrade_head
from fastflv.servers.http.websocket import Handshake, RefusedWebSocket, WebSocketConnection
from fastflv.stream.endreason import EndReason


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
    """A connection after its handshake, and wsproto as its client; *refused*: code and reason of a refusal."""

    def __init__(self, refused: tuple[int, str] | None = None, turns=None) -> None:
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
        self.client.receive_data(upgrade_head("websocket", handshake.fields))
        assert [type(event) for event in self.client.events()] == [AcceptConnection]
        self.loop = FakeLoop()
        self.transport = FakeTransport(self.loop)
        self.left: list[EndReason] = []
        self.lost = 0
        self._heard = 0
        if refused is not None:
            self.connection = RefusedWebSocket(Unhurried(self.loop), handshake.ws, *refused, self._lose)
            self.connection.connection_made(self.transport)
            return
        self.connection = WebSocketConnection(
            self.loop,
            turns or Unhurried(self.loop),
            QuietSockets(self.loop),
            handshake.ws,
            Peer("::1", "::1"),
            self.left.append,
            self._lose,
        )
        self.connection.connection_made(self.transport)
        self.play = Play(self.transport)
        self.connection.serve(self.play)

    def _lose(self) -> None:
        self.lost += 1

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


class Turn(Turns):
    """Turns with time for three pieces each."""

    def __init__(self) -> None:
        super().__init__(FakeLoop())  # type: ignore[arg-type]
        self.waiting: list = []
        self.left = 3

    def open(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def queue(self, go_on) -> None:
        self.waiting.append(go_on)

    def next(self) -> None:
        self.left = 3
        for go_on in [self.waiting.pop() for _ in range(len(self.waiting))]:
            go_on()


def test_frames_of_a_player_that_says_much_are_read_in_turns():
    turns = Turn()
    wire = Wire(turns=turns)
    ping = wire.client.send(Ping(payload=b"0123456789"))
    count = 10 * limits.WEBSOCKET_READ_BYTES // len(ping)
    wire.connection.data_received(ping * (count - 1))
    wire.connection.data_received(ping)
    answered = len(wire.events())
    assert 0 < answered < count / 2
    assert len(turns.waiting) == 1
    while turns.waiting:
        turns.next()
    assert answered + len(wire.events()) == count


def test_a_player_that_is_silent_is_told_so_and_disconnected():
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


@pytest.mark.parametrize("size", [1, 3, 100])
def test_text_that_is_not_utf_8_is_told_in_the_same_words_wherever_a_read_ends(size):
    wire = Wire()
    said = bytes.fromhex("0188030402020103044580")
    for at in range(0, len(said), size):
        wire.connection.data_received(said[at : at + size])
    (close,) = wire.events()
    assert (close.code, close.reason) == (1007, "text that is not UTF-8")


def test_a_player_that_breaks_a_rule_is_logged_and_did_not_leave_by_itself(caplog):
    caplog.set_level("INFO", "fastflv")
    wire = Wire()
    wire.connection.data_received(b"\x83\x80\1\2\3\4")
    (close,) = wire.events()
    assert close.code == 1002
    assert [record.getMessage() for record in caplog.records] == [f"websocket ::1 closed: {close.reason}"]
    wire.connection.ended(EndReason.STOPPED, True)
    assert wire.left == [EndReason.PROTOCOL]


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


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (EndReason.STREAM_ENDED, 1000),
        (EndReason.SERVER_STOPS, 1001),
        (EndReason.KICKED, 1008),
        (EndReason.TOO_SLOW, 1011),
    ],
)
def test_a_play_that_is_over_is_reported_once_and_closed_with_its_code(reason, code):
    wire = Wire()
    wire.connection.ended(reason, True)
    (close,) = wire.events()
    assert (close.code, close.reason) == (code, reason.value)
    assert wire.left == [reason]
    wire.connection.data_received(wire.client.send(close.response()))
    assert wire.transport.gone == "closed"
    wire.connection.connection_lost(None)
    assert (wire.lost, wire.left, wire.loop.timers) == (1, [reason], [])


def test_a_play_that_ends_within_a_message_is_cut_off():
    wire = Wire()
    wire.connection.ended(EndReason.TOO_SLOW, False)
    assert not wire.events()
    assert (wire.transport.gone, wire.left) == ("aborted", [EndReason.TOO_SLOW])


def test_a_player_that_closed_left_for_that_reason_and_not_for_the_end_of_its_play():
    wire = Wire()
    wire.connection.data_received(wire.client.send(CloseConnection(1000)))
    assert wire.transport.gone == "closed" and wire.play.halted == 1
    wire.connection.ended(EndReason.STOPPED, True)
    assert wire.left == [EndReason.PEER_CLOSED]


def test_a_dropped_player_left_for_that_reason():
    wire = Wire()
    wire.connection.drop(EndReason.FORBIDDEN)
    (close,) = wire.events()
    assert (close.code, close.reason) == (1008, "forbidden")
    wire.connection.ended(EndReason.STOPPED, True)
    assert wire.left == [EndReason.FORBIDDEN]


def test_a_refused_player_learns_why_and_its_answer_closes_the_connection():
    wire = Wire((4404, "no such stream " + "é" * 200))
    (close,) = wire.events()
    assert close.code == 4404
    assert close.reason.startswith("no such stream é") and len(close.reason.encode()) <= 123
    wire.connection.data_received(wire.client.send(close.response()))
    assert wire.transport.gone == "closed"
    wire.connection.connection_lost(None)
    assert wire.lost == 1 and not wire.loop.timers


def test_a_refused_player_that_says_nothing_is_cut_off():
    wire = Wire((4404, "no such stream"))
    wire.loop.advance(limits.WEBSOCKET_CLOSE_SECONDS)
    assert wire.transport.gone == "aborted"


def test_a_refused_player_that_sends_junk_is_closed():
    wire = Wire((4404, "no such stream"))
    wire.connection.data_received(b"\xff" * 40)
    assert wire.transport.gone == "closed"
