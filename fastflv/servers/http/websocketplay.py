"""One play over a WebSocket: the handshake waits for the join, so that a browser sees an open socket only with media."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflv.playing.join import JoinRefused
from fastflv.playing.player import Framing
from fastflv.protocols.http.exchange import Exchange
from fastflv.servers.http.play import LivePlay, RunningPlay, Wish
from fastflv.servers.http.refusal import CLOSE_CODES
from fastflv.servers.http.websocket import Handshake, RefusedWebSocket, WebSocketConnection
from fastflv.stream.stream import Stream

if TYPE_CHECKING:
    from fastflv.servers.http.live import Live


class WebSocketPlay(LivePlay):
    """A request that asks for a WebSocket, and whose handshake is right."""

    __slots__ = ("_handshake",)

    def __init__(self, live: Live, exchange: Exchange, wish: Wish, handshake: Handshake) -> None:
        super().__init__(live, exchange, wish, "wss" if exchange.request.peer.secure else "ws")
        self._handshake = handshake

    def ready(self, stream: Stream) -> None:
        live = self.live
        self.exchange.on_lost = None
        running = RunningPlay(live)
        socket = WebSocketConnection(
            live.joins.loop,
            live.turns,
            live.quiet,
            self._handshake.ws,
            self.join.request.peer,
            running.leave,
            self.exchange.leave,
        )
        if self.exchange.upgrade(socket, self._handshake.fields):
            player = live.players.play(socket.transport, stream.options, Framing.WEBSOCKET, socket.ended)
            socket.serve(player)
            running.start(self, stream, socket, player)

    def refused(self, refused: JoinRefused) -> None:
        code = CLOSE_CODES.get(refused.failure)
        if code is None:
            super().refused(refused)
            return
        self.exchange.on_lost = None
        leave = self.exchange.leave
        socket = RefusedWebSocket(self.live.turns, self._handshake.ws, code, refused.reason, leave)
        self.exchange.upgrade(socket, self._handshake.fields)
